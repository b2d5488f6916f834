"""One participant: the WebRTC audio service and the jam session round it."""
