from .figures import apart, captured, clicks, spectra, tones
from .tables import (
    case_table,
    event_table,
    figure_table,
    masthead,
    mix_table,
    provenance_table,
    verdict_table,
)

__all__ = [
    "apart",
    "captured",
    "case_table",
    "clicks",
    "event_table",
    "figure_table",
    "masthead",
    "mix_table",
    "provenance_table",
    "spectra",
    "tones",
    "verdict_table",
]
