"""The shape of the commands about the control room; what they do is in `serving`."""

from typing import Annotated

import typer

from penstock.ui.cli.answering import answering
from penstock.ui.cli.options import As, AsJson, settings
from penstock.ui.cli.output import Output

ui_app = typer.Typer()


@ui_app.command(name="ui")
@answering
def serve(
    *,
    host: Annotated[
        str | None, typer.Option(help="The address to listen at; else PENSTOCK_UI_HOST.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="The port to listen at; else PENSTOCK_UI_PORT."),
    ] = None,
    who: As = None,
    as_json: AsJson = False,
) -> None:
    """Serve the control room until a signal."""
    from penstock.ui.cli import rooming

    rooming.serve(settings(), Output(as_json=as_json), host=host, port=port, who=who)


@ui_app.command()
@answering
def account(
    *,
    name: Annotated[str, typer.Argument(help="Who logs in: their name in the file of people.")],
    remove: Annotated[
        bool, typer.Option("--remove", help="Have nobody log in by this name any more.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Set a person's password for the control room: asked for, or read from standard input."""
    from penstock.ui.cli import rooming

    rooming.account(settings(), Output(as_json=as_json), name=name, remove=remove)
