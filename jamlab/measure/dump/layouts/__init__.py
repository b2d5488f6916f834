"""The layouts of dumps, webrtc-internals and rtcstats, and the common form they are read into."""
