"""What plans and changes cost, by the pack's own price book."""
