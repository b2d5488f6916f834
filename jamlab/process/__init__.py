"""What jamlab asks of the operating system and of the interpreter."""
