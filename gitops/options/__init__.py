"""What each command is called and takes; a module a subject."""
