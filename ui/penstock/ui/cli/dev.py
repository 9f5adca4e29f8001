"""`penstock dev`: a worker, the pages and Phoenix on this machine; `penstock.ui.dev` runs them."""

from typing import Annotated

import typer

from penstock.ui.cli.options import AsJson
from penstock.ui.cli.output import Exit, Output
from penstock.ui.project import read_settings


def dev(
    *,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Of the pages; else PENSTOCK_UI_PORT."),
    ] = None,
    phoenix_port: Annotated[
        int, typer.Option(min=1, max=65535, help="Of Phoenix, on this machine only.")
    ] = 6006,
    no_ui: Annotated[bool, typer.Option("--no-ui", help="Without the pages.")] = False,
    no_phoenix: Annotated[bool, typer.Option("--no-phoenix", help="Without Phoenix.")] = False,
    as_json: AsJson = False,
) -> Exit | None:
    """Run everything here: a worker, the pages, and Phoenix where it is installed."""
    from penstock.ui.dev import command

    settings = read_settings()
    options = command.DevOptions(
        port=port or settings.ui_port,
        phoenix_port=phoenix_port,
        pages=not no_ui,
        phoenix=not no_phoenix,
    )
    return command.dev(settings, Output(as_json=as_json), options=options)
