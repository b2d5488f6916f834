"""Search for trains of coded clicks in one channel, and the reading of their clicks."""
