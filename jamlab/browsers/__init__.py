"""Browsers of this machine, started as players of a web application under test."""
