"""Shares of direct calls in a population by the connectivity rule, without a simulation."""
