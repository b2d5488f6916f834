"""Whether STUN and TURN servers work, step by step."""
