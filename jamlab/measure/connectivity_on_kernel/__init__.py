"""Connectivity on the kernel: the same calls between network namespaces, and their agreement."""
