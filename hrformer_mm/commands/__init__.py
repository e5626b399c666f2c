"""Implementation of the commands. It may import every other part; only the command line imports it."""
