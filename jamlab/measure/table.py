"""The declared tables of records: their columns, types and vocabulary."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from pandas.api.types import infer_dtype, is_bool_dtype, is_numeric_dtype

_IN_WORDS = {
    "object": "text",
    "int64": "whole numbers",
    "float64": "numbers",
    "bool": "true or false",
}


def _no_fault(_: pd.DataFrame) -> str:
    return ""


def _always(_: Mapping[str, Any]) -> bool:
    return True


@dataclass(frozen=True)
class Table:
    """The declaration of a table; a table may have further columns.

    The type of a column is "object" for text, "int64", "float64" or "bool"; the vocabulary has the
    values that a column may have. `empty` states whether the table may have no rows.
    `further_fault` returns any further fault of a table that has all this, as `fault` does; `kept`
    returns whether a record with a given provenance has the table.
    """

    columns: Mapping[str, str]
    empty: bool = True
    vocabulary: Mapping[str, Collection[str]] = field(default_factory=dict)
    further_fault: Callable[[pd.DataFrame], str] = _no_fault
    kept: Callable[[Mapping[str, Any]], bool] = _always

    def fault(self, table: pd.DataFrame) -> str:
        """Return the fault of a table, as words to follow its name; "" if it has none."""
        missing = sorted(set(self.columns) - set(table.columns))
        if missing:
            return f"lacks the columns {missing}"
        if table.empty and not self.empty:
            return "has no rows, so there is nothing to judge"
        return next(self._faults_of_columns(table), "") or self.further_fault(table)

    def _faults_of_columns(self, table: pd.DataFrame) -> Iterator[str]:
        for name, kind in self.columns.items():
            if len(table) and not _holds(table[name], kind):
                yield f"has something other than {_IN_WORDS[kind]} in its column {name}"
        for name, words in self.vocabulary.items():
            strange = table.loc[~table[name].isin(words), name]
            if len(strange):
                yield f"has {strange.iloc[0]!r} for a {name}"


def _holds(column: "pd.Series[Any]", kind: str) -> bool:
    """Return whether a column has values of a type, or that can be converted to it."""
    if kind == "object":
        return infer_dtype(column, skipna=False) == "string"
    if kind == "bool" or is_bool_dtype(column):
        return kind == "bool" and is_bool_dtype(column)
    if not is_numeric_dtype(column):
        return False
    return kind == "float64" or bool(column.notna().all() and (column % 1 == 0).all())
