"""What several commands take, and how each reads its settings."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from penstock.runs.settings import Settings

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


def settings() -> "Settings":
    """Read the settings from the environment."""
    from penstock.ui.project import read_settings  # noqa: PLC0415  (LangGraph is slow)

    return read_settings()
