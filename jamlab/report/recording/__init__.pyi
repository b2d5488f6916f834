from .figures import delays
from .tables import (
    arrival_table,
    delay_table,
    masthead,
    notes,
    provenance_table,
    stopwatch_table,
    verdict_table,
)
from .windows import windows

__all__ = [
    "arrival_table",
    "delay_table",
    "delays",
    "masthead",
    "notes",
    "provenance_table",
    "stopwatch_table",
    "verdict_table",
    "windows",
]
