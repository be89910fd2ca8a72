"""What can stand in a chain."""
