"""How a command answers: text or one JSON document, errors as one sentence, and an exit code."""

import functools
import sys
from collections.abc import Callable, Collection, Sequence
from enum import IntEnum
from typing import Any

import typer

from penstock.contracts.errors import MigrationNeeded, PenstockError, StoreError
from penstock.ui.views.documents import document_data, json_text

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


class Exit(IntEnum):
    """How a command ended. A signal that ended it adds 128 to its number."""

    OK = 0
    """It did what was asked."""
    NOT_SUCCEEDED = 1
    """The run that was waited for failed or was cancelled."""
    USAGE = 2
    """The command line itself could not be understood."""
    REFUSED = 3
    """What was asked for is not there, does not fit or is not allowed; nothing was changed."""
    STORE = 4
    """The store cannot be used: busy, full, broken or not migrated."""
    NOT_OVER = 75
    """The run that was waited for is not over: it waits at a gate, or the time was up."""


class Output:
    """Where a command's answer goes: standard output, as text or as JSON."""

    def __init__(self, *, as_json: bool) -> None:
        """Print JSON, or text for people."""
        self.as_json = as_json

    def answer(self, document: object, *text: Any) -> None:
        """Print a document (a view) as JSON, or else the text: lines and what Rich can draw."""
        if self.as_json:
            typer.echo(json_text(document_data(document)))
            return
        from rich.console import Console

        console = Console(highlight=False, markup=False, emoji=False)
        if not console.is_terminal:
            console.width = WIDE
        for part in text:
            console.print(part, soft_wrap=isinstance(part, str))

    def refuse(self, error: PenstockError) -> None:
        """Print an error to standard error."""
        hint = _NEXT.get(error.code)
        if self.as_json:
            fields = {"code": error.code, "message": str(error), "retryable": error.retryable}
            typer.echo(json_text({"error": fields, "next": hint}), err=True)
            return
        typer.echo(f"error: [{error.code}] {error}", err=True)
        if hint is not None:
            typer.echo(f"next: {hint}", err=True)

    def note(self, line: str) -> None:
        """Print a line of progress to standard error; nothing with JSON."""
        if not self.as_json:
            typer.echo(line, err=True)

    @property
    def is_watched(self) -> bool:
        """Whether a person sees standard error as it is written."""
        return not self.as_json and sys.stderr.isatty()


def exit_code_of(error: PenstockError) -> Exit:
    """Return the exit code of a command that ended with `error`."""
    return Exit.STORE if isinstance(error, StoreError | MigrationNeeded) else Exit.REFUSED


def with_exit_code(command: Callable[..., int | None]) -> Callable[..., None]:
    """Let a command return its exit code, and print the errors of Penstock that it raises."""

    @functools.wraps(command)
    def run(**options: Any) -> None:
        try:
            code = command(**options)
        except PenstockError as error:
            refusal = error
        except BaseExceptionGroup as group:
            found = _first(group)
            if found is None:
                raise
            refusal = found
        else:
            raise typer.Exit(code or Exit.OK)
        Output(as_json=bool(options.get("as_json"))).refuse(refusal)
        raise typer.Exit(exit_code_of(refusal))

    return run


def table(*columns: str, rows: Sequence[Sequence[Any]], whole: Collection[str] = ()) -> Any:
    """Return a table without lines; its first column, and those named `whole`, are not folded."""
    from rich.table import Table

    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        drawn.add_column(column, no_wrap=number == 0 or column in whole, overflow="fold")
    for row in rows:
        drawn.add_row(*row)
    return drawn


def field_table(fields: dict[str, Any]) -> Any:
    """Return a table of fields, a line each; those that are empty are left out."""
    drawn = table("", "", rows=[(name, value) for name, value in fields.items() if value])
    drawn.show_header = False
    return drawn


def _first(group: BaseExceptionGroup[BaseException]) -> PenstockError | None:
    """Return the first error of Penstock of a group whose errors are all of Penstock."""
    ours, others = group.split(PenstockError)
    if ours is None or others is not None:
        return None
    leaf: PenstockError | BaseExceptionGroup[PenstockError] = ours
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    return leaf
