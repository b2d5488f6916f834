from .ice import ice_timeline
from .quality import losses
from .stages import stages
from .tables import (
    connection_table,
    ice_table,
    masthead,
    notes,
    provenance_table,
    stage_table,
    stream_table,
    verdict_table,
)

__all__ = [
    "connection_table",
    "ice_table",
    "ice_timeline",
    "losses",
    "masthead",
    "notes",
    "provenance_table",
    "stage_table",
    "stages",
    "stream_table",
    "verdict_table",
]
