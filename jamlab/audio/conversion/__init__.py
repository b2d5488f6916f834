"""Conversion between a sound card's channels and rate and those of jamlab: no I/O, no devices."""
