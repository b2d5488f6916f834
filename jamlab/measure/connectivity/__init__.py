"""Connectivity: the share of calls that connect, on simulated networks or with own servers."""
