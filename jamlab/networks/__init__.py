"""Network models, STUN and TURN, NAT behaviour discovery, and simulated and kernel networks."""
