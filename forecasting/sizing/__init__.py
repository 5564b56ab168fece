"""What a replica serves and what its container needs, learned from what was measured."""
