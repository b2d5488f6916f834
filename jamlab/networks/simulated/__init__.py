"""An internet in one process, in virtual time."""
