"""What commands do with what they were asked; a module a command or a subject."""
