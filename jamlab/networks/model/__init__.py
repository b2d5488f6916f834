"""Values that describe networks, and the rule for which peers can connect directly."""
