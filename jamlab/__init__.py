"""Build a real WebRTC jam session, measure it, and hand on the report."""
