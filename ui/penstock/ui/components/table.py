"""Lists as tables, of which one row can be opened."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import streamlit as st

# What their signatures speak of is not typed.
_table = cast("Any", st.table)  # pyright: ignore[reportUnknownMemberType]
_dataframe = cast("Any", st.dataframe)  # pyright: ignore[reportUnknownMemberType]

_HEAD_PX, _ROW_PX = 38, 35

Columns = Mapping[str, Sequence[Any]]


def shown(columns: Columns, *, border: Literal["horizontal"] | bool = True) -> None:
    """Show a small table, whose cells are Markdown."""
    _table(dict(columns), border=border)


def opened(columns: Columns, *, key: str, config: Mapping[str, Any] | None = None) -> int | None:
    """Show a table; return the number of the row that somebody has opened."""
    event = _dataframe(
        dict(columns),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key=key,
        column_config=dict(config or {}),
        width="stretch",
        height=_HEAD_PX + _ROW_PX * len(next(iter(columns.values()))),
    )
    rows: list[int] = event.selection.rows
    return rows[0] if rows else None
