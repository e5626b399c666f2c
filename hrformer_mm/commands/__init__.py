"""What the commands do. Everything may be imported here; nothing but the command line imports from here."""
