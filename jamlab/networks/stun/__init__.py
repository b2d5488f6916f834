"""STUN (RFC 8489): messages, a client and a server."""
