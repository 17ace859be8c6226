"""Which job next, and where: pure functions over plain data."""
