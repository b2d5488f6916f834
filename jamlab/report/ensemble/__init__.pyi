from .tables import group_table, pair_table, tempo_table

__all__ = ["group_table", "pair_table", "tempo_table"]
