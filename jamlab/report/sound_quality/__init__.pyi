from .figures import frontier
from .tables import encoding_table, provenance_table

__all__ = ["encoding_table", "frontier", "provenance_table"]
