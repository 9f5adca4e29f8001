"""What several commands take: options, JSON as typed or from a file, and a selection of runs."""

import json
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.contracts.amounts import read_budget

if TYPE_CHECKING:
    from penstock.contracts.budget import Budget
    from penstock.contracts.errors import PenstockError
    from penstock.contracts.inbox import RunFilter
    from penstock.contracts.run import RunStatus

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, for programs.")]
RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="The run's id, or its beginning if no other's is so.")
]
Reason = Annotated[str | None, typer.Option(help="Why; kept with the run, and shown.")]
GateArgument = Annotated[
    str, typer.Argument(metavar="GATE", help="The gate's id; its beginning while it is open.")
]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="How many to list at most.")]
OfTag = Annotated[
    list[str] | None, typer.Option("--tag", help="Only with this tag; may be repeated.")
]
Spent = Annotated[
    list[str] | None,
    typer.Option(
        metavar="AMOUNT", help="Only those that used as much: `tokens=50000`, `money=0.50 USD`."
    ),
]
As = Annotated[
    str | None,
    typer.Option("--as", metavar="USER", help="Who acts; else whoever your login belongs to."),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSelection:
    """The options by which runs are selected, as they were typed."""

    statuses: "Collection[RunStatus]" = ()
    graph: str | None = None
    thread: str | None = None
    tags: Collection[str] = ()
    spent: Collection[str] = ()
    redrivable: bool = False

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        self._least_spent()

    @property
    def is_any(self) -> bool:
        """Whether nothing was asked for."""
        return self == RunSelection()

    def of(self, tenant: str) -> "RunFilter":
        """Return them as a filter of a tenant's runs."""
        from penstock.contracts.inbox import RunFilter
        from penstock.contracts.run import read_tags

        least = self._least_spent()
        return RunFilter(
            tenant=tenant,
            statuses=tuple(self.statuses),
            graph=self.graph,
            thread_id=self.thread,
            tags=read_tags(self.tags),
            is_redrivable=self.redrivable,
            tokens=least.tokens,
            money=least.money,
        )

    def _least_spent(self) -> "Budget":
        try:
            least = read_budget(self.spent)
        except ValueError as error:
            raise typer.BadParameter(f"--spent: {error}") from None
        named = {each.partition("=")[0].strip() for each in self.spent}
        if not named <= {"tokens", "money"}:
            raise typer.BadParameter("--spent goes by `tokens` and `money` only")
        return least


def read_json(text: str, *, what: str, refusal: "type[PenstockError]") -> Any:
    """Return what `text` says as JSON: itself, the file of `@file`, or standard input for `-`.

    Raises:
        PenstockError: a `refusal` that says where `what` stops being JSON.
    """
    place = "standard input" if text == "-" else f"`{text[1:]}`" if text[:1] == "@" else ""
    try:
        if text == "-":
            text = sys.stdin.read()
        elif place:
            text = Path(text[1:]).read_text(encoding="utf-8")
        return json.loads(text)
    except json.JSONDecodeError as error:
        of = f" of {place}" if place else ""
        msg = (
            f"the {what} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}{of};"
            ' write it as \'{"name": "value"}\', `@file` or `-`'
        )
        raise refusal(msg) from error
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        msg = f"the {what} cannot be read from {place}: {why}"
        raise refusal(msg) from error
