"""Figures and tables of a session that is under way."""
