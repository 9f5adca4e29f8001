"""What a command prints: for people, or the same as one JSON document."""

import json
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import typer

from penstock.contracts.errors import PenstockError

WIDE = 500
"""Columns of an output that is no terminal: nothing in it is cut off or folded."""

_NEXT = {
    "migration_needed": "penstock migrate",
    "store_broken": "penstock doctor",
    "unknown_run": "penstock runs",
    "unknown_gate": "penstock gates",
    "unknown_tool": "penstock tools",
    "unknown_worker": "penstock workers",
}
"""What to type after an error, where one command says more."""


class Output:
    """Where a command's answer goes: standard output, as text or as JSON."""

    def __init__(self, *, as_json: bool) -> None:
        """Speak JSON, or to people."""
        self.as_json = as_json

    def answer(self, data: Mapping[str, Any], *said: Any) -> None:
        """Print `data` as JSON, or else what is `said`: lines and anything Rich can draw."""
        if self.as_json:
            typer.echo(dump(data))
            return
        from rich.console import Console  # noqa: PLC0415  (only who prints text needs it)

        console = Console(highlight=False, markup=False, emoji=False)
        if not console.is_terminal:
            console.width = WIDE
        for one in said:
            console.print(one, soft_wrap=isinstance(one, str))

    def refuse(self, error: PenstockError) -> None:
        """Print an error to standard error."""
        hint = _NEXT.get(error.code)
        if self.as_json:
            told = {"code": error.code, "message": str(error), "retryable": error.retryable}
            typer.echo(dump({"error": told, "next": hint}), err=True)
            return
        typer.echo(f"error: [{error.code}] {error}", err=True)
        if hint is not None:
            typer.echo(f"next: {hint}", err=True)

    def note(self, line: str) -> None:
        """Print a line on the way to the answer to standard error; nothing with JSON."""
        if not self.as_json:
            typer.echo(line, err=True)

    @property
    def is_watched(self) -> bool:
        """Whether a person sees standard error as it is written."""
        return not self.as_json and sys.stderr.isatty()


def dump(value: object) -> str:
    """Return `value` as indented JSON; what has no form in JSON as Python would show it."""
    from pydantic_core import to_jsonable_python  # noqa: PLC0415  (--help needs it not)

    plain = to_jsonable_python(value, fallback=repr, inf_nan_mode="constants")
    return json.dumps(plain, indent=2, ensure_ascii=False)


def table(*columns: str, rows: Sequence[Sequence[Any]], whole: Collection[str] = ()) -> Any:
    """Return a table without lines; its first column, and those named `whole`, are not folded."""
    from rich.table import Table  # noqa: PLC0415  (--help needs it not)

    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        drawn.add_column(column, no_wrap=number == 0 or column in whole, overflow="fold")
    for row in rows:
        drawn.add_row(*row)
    return drawn
