from .tables import case_table, link_tables, masthead, provenance_tables, stages, verdict_table

__all__ = [
    "case_table",
    "link_tables",
    "masthead",
    "provenance_tables",
    "stages",
    "verdict_table",
]
