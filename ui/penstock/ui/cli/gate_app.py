"""The shape of the commands about gates; what they do is in `gating`."""

from datetime import datetime
from typing import Annotated

import typer

from penstock.ui.cli.answering import answering
from penstock.ui.cli.options import As, AsJson, GateArgument, Limit, settings
from penstock.ui.cli.output import Output

gate_app = typer.Typer()


@gate_app.command()
@answering
def gates(
    *,
    gate_id: Annotated[
        str | None, typer.Argument(metavar="[GATE]", help="One of them, to show it whole.")
    ] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List what waits for people, oldest first, or show one gate whole."""
    from penstock.ui.cli import gating

    output = Output(as_json=as_json)
    if gate_id is None:
        gating.gates(settings(), output, limit=limit)
    else:
        gating.gate(settings(), output, typed=gate_id)


@gate_app.command()
@answering
def decide(
    *,
    gate_id: GateArgument,
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="`approve`, `reject`, `edit`, `respond`; of a budget `raise`, `finish`, `stop`;"
            " or an answer as JSON.",
        ),
    ],
    value: Annotated[
        str | None,
        typer.Argument(
            metavar="[VALUE]",
            help="To `edit`: arguments as JSON, `@file` or `-`. To `respond`: what to say. To"
            " `raise`: by how much.",
        ),
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why; a rejection needs one.")] = None,
    who: As = None,
    as_json: AsJson = False,
) -> None:
    """Decide at a gate; its run goes on once enough people have."""
    from penstock.ui.cli import gating

    gating.decide(
        settings(),
        Output(as_json=as_json),
        typed=gate_id,
        what=what,
        value=value,
        reason=reason,
        who=who,
    )


@gate_app.command(name="look-up")
@answering
def look_up(*, gate_id: GateArgument, who: As = None, as_json: AsJson = False) -> None:
    """Have a worker look up now what became of a call in doubt; what it finds answers the gate."""
    from penstock.ui.cli import gating

    gating.look_up(settings(), Output(as_json=as_json), typed=gate_id, who=who)


@gate_app.command(name="break-glass")
@answering
def break_glass(
    *,
    gate_id: GateArgument,
    reason: Annotated[str, typer.Option(help="Why there is no time for the others.")],
    who: As = None,
    as_json: AsJson = False,
) -> None:
    """Approve alone, in an emergency: a right of the group `break-glass`."""
    from penstock.ui.cli import gating

    gating.break_glass(settings(), Output(as_json=as_json), typed=gate_id, reason=reason, who=who)


@gate_app.command()
@answering
def delegate(
    *,
    to: Annotated[
        str | None, typer.Argument(metavar="[USER]", help="Who votes for you; none lists them.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(help="When it ends, in UTC: 2027-01-31 or 2027-01-31T18:00.")
    ] = None,
    gate_id: Annotated[
        str | None, typer.Option("--gate", metavar="GATE", help="At this gate only.")
    ] = None,
    revoke: Annotated[
        int | None, typer.Option(metavar="NUMBER", help="Take a seat back instead.")
    ] = None,
    who: As = None,
    as_json: AsJson = False,
) -> None:
    """Lend your seat at gates to somebody else for a time, list what is lent, or take it back."""
    if to is not None and until is None:
        raise typer.BadParameter("--until says when the delegation ends")
    from penstock.ui.cli import delegating

    output = Output(as_json=as_json)
    if revoke is not None:
        delegating.revoke(settings(), output, number=revoke, who=who)
    elif to is None or until is None:
        delegating.listed(settings(), output)
    else:
        delegating.delegate(settings(), output, to=to, until=until, typed=gate_id, who=who)
