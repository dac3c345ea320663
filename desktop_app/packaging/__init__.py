"""Building the program."""
