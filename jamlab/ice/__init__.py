"""ICE configurations: the STUN and TURN servers that a connection may use."""
