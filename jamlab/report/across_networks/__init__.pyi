from .tables import kernel_tables, masthead, profile_table, stages, verdict_table

__all__ = [
    "kernel_tables",
    "masthead",
    "profile_table",
    "stages",
    "verdict_table",
]
