"""One participant's side of a session: the WebRTC audio service and the jam session."""
