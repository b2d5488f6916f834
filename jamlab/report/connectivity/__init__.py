"""Figures and tables of a connectivity record."""
