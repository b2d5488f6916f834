"""Signals, real-time scheduling, garbage collection, precise timers and atomic file writing."""
