"""The command line of the whole project."""
