from .figures import buffers, over_time, waterfall
from .tables import (
    masthead,
    path_table,
    provenance_table,
    remarks_table,
    sweep_table,
    verdict_table,
)

__all__ = [
    "buffers",
    "masthead",
    "over_time",
    "path_table",
    "provenance_table",
    "remarks_table",
    "sweep_table",
    "verdict_table",
    "waterfall",
]
