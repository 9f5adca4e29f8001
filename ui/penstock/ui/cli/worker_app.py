"""The shape of the commands about workers."""

from typing import Annotated

import typer

from penstock.ui.cli.answering import answering
from penstock.ui.cli.exits import Exit
from penstock.ui.cli.options import AsJson, settings
from penstock.ui.cli.output import Output

worker_app = typer.Typer()


@worker_app.command()
@answering
def worker(*, as_json: AsJson = False) -> Exit | None:
    """Drive runs until a signal ends it: the first gives them back, a second is at once."""
    from penstock.ui.cli import working

    return working.work(settings(), Output(as_json=as_json))


@worker_app.command()
@answering
def workers(*, as_json: AsJson = False) -> None:
    """List the workers of the last day: whether each is heard of, and what it drives."""
    from penstock.ui.cli import tending

    tending.workers(settings(), Output(as_json=as_json))


@worker_app.command()
@answering
def drain(
    *,
    worker_id: Annotated[
        str, typer.Argument(metavar="WORKER", help="Its id, or its beginning or its end.")
    ],
    as_json: AsJson = False,
) -> None:
    """Have a worker take nothing more, and end when what it drives has ended or waits."""
    from penstock.ui.cli import tending

    tending.drain(settings(), Output(as_json=as_json), typed=worker_id)
