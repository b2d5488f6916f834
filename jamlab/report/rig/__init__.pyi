from .figures import comparison, over_time
from .tables import (
    comparison_table,
    masthead,
    path_table,
    provenance_table,
    remarks_table,
    verdict_table,
)

__all__ = [
    "comparison",
    "comparison_table",
    "masthead",
    "over_time",
    "path_table",
    "provenance_table",
    "remarks_table",
    "verdict_table",
]
