from .figures import measures, sound_over_time
from .tables import masthead, provenance_table, sounds_table, told_table, verdict_table

__all__ = [
    "masthead",
    "measures",
    "provenance_table",
    "sound_over_time",
    "sounds_table",
    "told_table",
    "verdict_table",
]
