from .figures import playout_figure
from .tables import (
    accepted_table,
    masthead,
    playout_table,
    provenance_table,
    stream_table,
    verdict_table,
)

__all__ = [
    "accepted_table",
    "masthead",
    "playout_figure",
    "playout_table",
    "provenance_table",
    "stream_table",
    "verdict_table",
]
