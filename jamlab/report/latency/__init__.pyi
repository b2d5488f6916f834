from . import musicians
from .breakdown import waterfall
from .click import correlation, waveforms
from .paths import distribution, over_time, pair_medians, players
from .sessions import between_sessions
from .tables import masthead, mouth_to_ear_table, path_table, provenance_table, verdict_table

__all__ = [
    "between_sessions",
    "correlation",
    "distribution",
    "masthead",
    "mouth_to_ear_table",
    "musicians",
    "over_time",
    "pair_medians",
    "path_table",
    "players",
    "provenance_table",
    "verdict_table",
    "waterfall",
    "waveforms",
]
