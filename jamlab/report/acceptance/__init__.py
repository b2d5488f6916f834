"""Figures and tables of the acceptance tests."""
