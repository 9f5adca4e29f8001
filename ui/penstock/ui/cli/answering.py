"""How a command ends: with an exit code, and an error as one sentence."""

import functools
from collections.abc import Callable
from typing import Any

import typer

from penstock.contracts.errors import PenstockError
from penstock.ui.cli.exits import Exit, of_error
from penstock.ui.cli.output import Output


def answering(command: Callable[..., int | None]) -> Callable[..., None]:
    """Let a command return its exit code, and print the errors of Penstock that it raises."""

    @functools.wraps(command)
    def answered(**options: Any) -> None:
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
        raise typer.Exit(of_error(refusal))

    return answered


def _first(group: BaseExceptionGroup[BaseException]) -> PenstockError | None:
    """Return the first error of Penstock of a group whose errors are all of Penstock."""
    ours, others = group.split(PenstockError)
    if ours is None or others is not None:
        return None
    leaf: PenstockError | BaseExceptionGroup[PenstockError] = ours
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    return leaf
