"""A simulated internet in one process, in virtual time."""
