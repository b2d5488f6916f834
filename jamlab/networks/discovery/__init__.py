"""NAT behaviour discovery through a STUN server (RFC 5780)."""
