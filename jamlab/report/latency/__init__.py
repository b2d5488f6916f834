"""Figures and tables of a latency record."""
