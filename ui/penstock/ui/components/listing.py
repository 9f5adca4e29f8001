"""Tables of which a row can be chosen, in step with the pictures beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from penstock.ui.components.drawing import pickable


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row that can be chosen."""

    pick: str
    cells: Sequence[str]
    state: str
    """What colours its first cell."""
    is_chosen: bool


def listing(heads: Sequence[str], rows: Sequence[Row]) -> str:
    """Return a table as HTML; what is in its cells is escaped."""
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "".join(_row(row) for row in rows)
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'


def _row(row: Row) -> str:
    first, *rest = row.cells
    picks = pickable(row.pick, said=", ".join(filter(None, row.cells)), is_chosen=row.is_chosen)
    cells = [f'<td class="{escape(row.state)}">{escape(first)}</td>']
    cells += [f'<td title="{escape(each)}">{escape(each)}</td>' for each in rest]
    return f'<tr class="{"chosen" if row.is_chosen else ""}" {picks}>{"".join(cells)}</tr>'
