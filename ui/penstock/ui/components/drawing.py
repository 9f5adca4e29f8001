"""Pictures and tables of which a part can be chosen, with the mouse and with the keyboard.

Their markup is written here, in Python, and whoever writes it escapes every text in it. The browser
puts the markup onto the page and reports which part was chosen; nothing else.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import Any, cast

import streamlit as st

PICKS = "data-pick"
"""The attribute of each part that can be chosen."""


def _resource(name: str) -> str:
    """Return a file of the package, as Streamlit takes the text of a component.

    Streamlit would take a text whose first line is not empty for the name of a file.
    """
    return "\n" + files("penstock.ui").joinpath(name).read_text("utf-8")


_component: Any = cast("Any", st.components).v2.component(
    "penstock_drawing",
    html='<div class="drawing"></div>',
    css=_resource("drawing.css"),
    js=_resource("drawing.js"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickableRow:
    """A row of a table that can be chosen."""

    pick: str
    cells: Sequence[str]
    state: str
    """The state after which its first cell is coloured."""
    is_chosen: bool


def draw(markup: str, *, key: str, pick: Callable[[str], None] | None = None) -> None:
    """Show a picture or a table; `pick` is called with what was chosen, before the page is redrawn.

    Its argument comes from a browser, and may be anything.
    """

    def picked() -> None:
        found: object = getattr(st.session_state.get(key), "picked", None)
        if pick is not None and isinstance(found, str):
            pick(found)

    _component(key=key, data=markup, on_picked_change=picked)


def pick_attributes(value: str, *, label: str, is_chosen: bool) -> str:
    """Return the attributes of a part that can be chosen; `label` is for screen readers."""
    return (
        f'{PICKS}="{escape(value)}" tabindex="0" role="button"'
        f' aria-label="{escape(label)}" aria-pressed="{str(is_chosen).lower()}"'
    )


def clickable_table(heads: Sequence[str], rows: Sequence[ClickableRow]) -> str:
    """Return a table as HTML; what is in its cells is escaped."""
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "".join(_table_row(row) for row in rows)
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'


def _table_row(row: ClickableRow) -> str:
    first, *rest = row.cells
    picks = pick_attributes(
        row.pick, label=", ".join(filter(None, row.cells)), is_chosen=row.is_chosen
    )
    cells = [f'<td class="{escape(row.state)}">{escape(first)}</td>']
    cells += [f'<td title="{escape(each)}">{escape(each)}</td>' for each in rest]
    return f'<tr class="{"chosen" if row.is_chosen else ""}" {picks}>{"".join(cells)}</tr>'
