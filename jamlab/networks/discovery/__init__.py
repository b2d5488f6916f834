"""Discovery of NAT behaviour (RFC 5780) through a STUN server."""
