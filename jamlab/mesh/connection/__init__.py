"""One WebRTC connection to a peer: negotiation, state and statistics."""
