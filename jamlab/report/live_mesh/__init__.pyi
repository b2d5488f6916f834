from .journal import Journal, invitation
from .live_figures import figures_table, watch
from .meters import levels_table, picture
from .pairs import pair_map, pair_table, participant_table, worst_partner_table

__all__ = [
    "Journal",
    "figures_table",
    "invitation",
    "levels_table",
    "pair_map",
    "pair_table",
    "participant_table",
    "picture",
    "watch",
    "worst_partner_table",
]
