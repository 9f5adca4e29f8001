"""Lists as tables, of which one row can be opened, or several picked."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import streamlit as st

# What their signatures speak of is not typed.
_table = cast("Any", st.table)  # pyright: ignore[reportUnknownMemberType]
_dataframe = cast("Any", st.dataframe)  # pyright: ignore[reportUnknownMemberType]

_HEAD_PX, _ROW_PX = 38, 35
_LISTED_ROWS = 12

Columns = Mapping[str, Sequence[Any]]


def shown(columns: Columns, *, border: Literal["horizontal"] | bool = True) -> None:
    """Show a small table, whose cells are Markdown."""
    _table(dict(columns), border=border)


def listed(columns: Columns) -> None:
    """Show a long list in few lines, which scroll."""
    rows = min(len(next(iter(columns.values()))), _LISTED_ROWS)
    _dataframe(
        dict(columns), hide_index=True, width="stretch", height=_HEAD_PX + _ROW_PX * max(rows, 1)
    )


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


def picked(
    columns: Columns,
    *,
    key: str,
    opens: str,
    can_pick: bool,
    config: Mapping[str, Any] | None = None,
) -> None:
    """Show a table in which rows can be ticked, and opened by what stands in a column.

    `clicked` and `ticked` say what was done; ask them before the rows are looked up anew.
    """
    ways_in = st.column_config.ButtonColumn(
        type="tertiary", alignment="left", key=f"{key}-open", help="Open it"
    )
    _dataframe(
        dict(columns),
        hide_index=True,
        on_select="rerun" if can_pick else "ignore",
        selection_mode="multi-row",
        key=key,
        column_config={**(config or {}), opens: ways_in},
        width="stretch",
        height=_HEAD_PX + _ROW_PX * len(next(iter(columns.values()))),
    )


def clicked(key: str) -> int | None:
    """Return the number of the row that somebody has just opened."""
    click: Any = st.session_state.get(f"{key}-open")
    return None if click is None else int(click["row"])


def ticked(key: str) -> Sequence[int]:
    """Return the numbers of the rows that are ticked, from the top."""
    event: Any = st.session_state.get(key)
    return () if event is None else sorted(event["selection"]["rows"])


def figures(columns: Columns, *, key: str, row_count: int) -> None:
    """Show a table of numbers to read, of which so many rows are seen at once."""
    numbers = list(columns)[1:]
    rows = min(len(next(iter(columns.values()))), row_count)
    _dataframe(
        dict(columns),
        hide_index=True,
        key=key,
        column_config={name: st.column_config.TextColumn(alignment="right") for name in numbers},
        width="stretch",
        height=_HEAD_PX + _ROW_PX * rows,
    )
