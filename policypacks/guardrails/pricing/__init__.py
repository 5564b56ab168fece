"""A self-contained price book, and what the engine's resources cost by it. Standard library only."""
