"""The shape of the commands about the audit; what they do is in `auditing`."""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from penstock.ui.cli.answering import answering
from penstock.ui.cli.exits import Exit
from penstock.ui.cli.options import AsJson, Limit, settings
from penstock.ui.cli.output import Output

audit_app = typer.Typer(
    name="audit", help="Verify, show and take out the audit.", no_args_is_help=True
)

RunOption = Annotated[str | None, typer.Option("--run", metavar="RUN", help="Only of this run.")]
TenantOption = Annotated[str | None, typer.Option(help="Of this tenant; `*` has the policies.")]


class Format(StrEnum):
    """How events are written out, one on a line."""

    JSONL = "jsonl"
    CLOUDEVENTS = "cloudevents"


@audit_app.command()
@answering
def verify(
    *,
    heads: Annotated[
        Path | None, typer.Option(help="The file of signed heads to hold the chains against.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help="What they were signed with, or its public half.")
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Only the chain of this tenant.")] = None,
    as_json: AsJson = False,
) -> Exit:
    """Look for anything that was changed, put in or taken away after it was written."""
    from penstock.ui.cli import auditing

    return auditing.verify(settings(), Output(as_json=as_json), heads=heads, key=key, tenant=tenant)


@audit_app.command()
@answering
def show(
    *,
    run_id: RunOption = None,
    tenant: TenantOption = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Show the last events, and how far the chain has come."""
    from penstock.ui.cli import auditing

    auditing.show(settings(), Output(as_json=as_json), typed=run_id, tenant=tenant, limit=limit)


@audit_app.command()
@answering
def export(
    *,
    form: Annotated[Format, typer.Option("--format", help="How each event is written.")] = (
        Format.JSONL
    ),
    since: Annotated[datetime | None, typer.Option(help="Only events since then, in UTC.")] = None,
    run_id: RunOption = None,
    tenant: TenantOption = None,
    as_json: AsJson = False,
) -> None:
    """Write events to standard output, one on a line."""
    from penstock.ui.cli import auditing

    auditing.export(
        settings(),
        Output(as_json=as_json),
        is_cloud=form is Format.CLOUDEVENTS,
        since=since,
        typed=run_id,
        tenant=tenant,
    )


@audit_app.command()
@answering
def keygen(
    *,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Where the key is to be.")],
    as_json: AsJson = False,
) -> None:
    """Make a key to sign heads with, and its public half beside it in `FILE.pub`."""
    from penstock.ui.cli import auditing

    auditing.keygen(Output(as_json=as_json), path)
