from .figures import buffers, over_time, waterfall
from .tables import (
    how,
    masthead,
    path_table,
    provenance_table,
    remarks_table,
    sweep_table,
    verdict_table,
)

__all__ = [
    "buffers",
    "how",
    "masthead",
    "over_time",
    "path_table",
    "provenance_table",
    "remarks_table",
    "sweep_table",
    "verdict_table",
    "waterfall",
]
