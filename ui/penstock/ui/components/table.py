"""Tables: small ones to read, long ones to scroll, and ones whose rows can be opened or picked."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import streamlit as st

from penstock.ui.components.markdown import as_text, escaped

# What their signatures speak of is not typed.
_table = cast("Any", st.table)  # pyright: ignore[reportUnknownMemberType]
_dataframe = cast("Any", st.dataframe)  # pyright: ignore[reportUnknownMemberType]
_HEAD_PX, _ROW_PX = 38, 35
_LISTED_ROWS = 12
Columns = Mapping[str, Sequence[Any]]
_LONG = 240


def show_table(columns: Columns, *, border: Literal["horizontal"] | bool = True) -> None:
    """Show a small table, whose cells are Markdown."""
    _table(dict(columns), border=border)


def show_scrolling(columns: Columns) -> None:
    """Show a long list in few lines, which scroll."""
    rows = min(len(next(iter(columns.values()))), _LISTED_ROWS)
    _dataframe(
        dict(columns), hide_index=True, width="stretch", height=_HEAD_PX + _ROW_PX * max(rows, 1)
    )


def open_row(columns: Columns, *, key: str, config: Mapping[str, Any] | None = None) -> int | None:
    """Show a table; return the number of the row that was opened."""
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


def show_pickable(
    columns: Columns,
    *,
    key: str,
    opens: str,
    can_pick: bool,
    config: Mapping[str, Any] | None = None,
) -> None:
    """Show a table in which rows can be ticked, and opened by the cell of one column.

    `opened_row` and `ticked_rows` say what was done; ask them before the rows are read again.
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


def opened_row(key: str) -> int | None:
    """Return the number of the row that was opened just now."""
    click: Any = st.session_state.get(f"{key}-open")
    return None if click is None else int(click["row"])


def ticked_rows(key: str) -> Sequence[int]:
    """Return the numbers of the rows that are ticked, from the top."""
    event: Any = st.session_state.get(key)
    return () if event is None else sorted(event["selection"]["rows"])


def show_figures(columns: Columns, *, key: str, row_count: int) -> None:
    """Show a table of numbers, of which `row_count` rows are visible at once."""
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


def show_values(found: Mapping[str, Any], *, heading: str) -> None:
    """Show names and values: short ones in a table, long texts below it as they were written."""
    texts = {name: as_text(value) for name, value in found.items()}
    long = {name: text for name, text in texts.items() if "\n" in text or len(text) > _LONG}
    brief = {name: text for name, text in texts.items() if name not in long}
    if brief:
        show_table(
            {
                heading: [escaped(name) for name in brief],
                "value": [escaped(text) or "*empty*" for text in brief.values()],
            },
            border="horizontal",
        )
    for name, text in long.items():
        st.markdown(f"**{escaped(name)}**")
        with st.container(border=True):
            st.text(text)
    if not texts:
        st.caption(f"No {heading}.")
