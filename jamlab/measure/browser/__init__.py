"""Latency between browsers that run a web application, by coded clicks."""
