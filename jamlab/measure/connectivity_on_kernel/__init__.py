"""The same calls between network namespaces, compared with the simulation."""
