"""`penstock ui` and `account`: the control room, and who may log in to it."""

import getpass
import sys
from typing import Annotated

import typer

from penstock.ui.cli.options import As, AsJson
from penstock.ui.cli.output import Output
from penstock.ui.project import read_settings
from penstock.ui.views.store import Ended, RemovedAccount, SavedAccount


def ui(
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
    from penstock.ui.server import serve
    from penstock.ui.telemetry import log_to_stderr

    output = Output(as_json=as_json)
    typed = {"ui_host": host, "ui_port": port}
    settings = read_settings().model_copy(
        update={name: value for name, value in typed.items() if value is not None}
    )
    with log_to_stderr(as_json=output.as_json):
        serve(settings, who=who)
    output.answer(Ended(ended="stopped"))


def account(
    *,
    name: Annotated[str, typer.Argument(help="Who logs in: their name in the file of people.")],
    remove: Annotated[
        bool, typer.Option("--remove", help="Have nobody log in by this name any more.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Set a person's password for the control room: asked for, or read from standard input."""
    from penstock.ui.accounts import Accounts

    output = Output(as_json=as_json)
    accounts = Accounts(read_settings().ui_accounts)
    if remove:
        was_there = accounts.remove(name)
        outcome = (
            f"nobody logs in as {name} any more" if was_there else f"there was no account {name}"
        )
        output.answer(RemovedAccount(account=name, removed=was_there), outcome)
        return
    is_new = accounts.put(name, _password())
    output.answer(
        SavedAccount(account=name, new=is_new),
        f"the account {name} was made" if is_new else f"the password of {name} was changed",
    )


def _password() -> str:
    """Ask for a password, or read the first line of standard input."""
    if sys.stdin.isatty():
        return getpass.getpass("Password: ")
    return sys.stdin.readline().rstrip("\n")
