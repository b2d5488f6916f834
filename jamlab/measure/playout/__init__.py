"""Comparison of playout buffers on the same packets: contenders, and the bounds of hindsight."""
