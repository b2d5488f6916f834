"""Values that describe networks, and the rule of which peers reach each other."""
