"""Figures and tables of latency across networks."""
