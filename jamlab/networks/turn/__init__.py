"""TURN (RFC 8656): a client and a server."""
