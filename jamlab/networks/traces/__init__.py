"""Readers of traces: what a network did to packets, as recorded by other tools and by jamlab."""
