from . import agreement, features, servers
from .figures import by_configuration, matrix, sensitivity, times, turn
from .tables import (
    masthead,
    population_table,
    provenance_table,
    shares_table,
    states_table,
    times_table,
    verdict_table,
)

__all__ = [
    "agreement",
    "by_configuration",
    "features",
    "masthead",
    "matrix",
    "population_table",
    "provenance_table",
    "sensitivity",
    "servers",
    "shares_table",
    "states_table",
    "times",
    "times_table",
    "turn",
    "verdict_table",
]
