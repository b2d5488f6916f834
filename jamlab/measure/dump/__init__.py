"""Dumps of browsers' calls, from webrtc-internals and rtcstats: read, as tables, judged."""
