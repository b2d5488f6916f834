"""Commands about recorded networks: what a trace holds."""
