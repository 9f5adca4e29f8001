"""`penstock ui` and `penstock account`: the control room, and who may log in to it."""

import getpass
import sys

from penstock.runs.settings import Settings
from penstock.ui.accounts import Accounts
from penstock.ui.cli.output import Output
from penstock.ui.cli.working import logging_to_stderr


def serve(
    settings: Settings, output: Output, *, host: str | None, port: int | None, who: str | None
) -> None:
    """Serve the control room until a signal."""
    from penstock.ui.server import serve as serve_room  # noqa: PLC0415  (Streamlit is slow)

    typed = {"ui_host": host, "ui_port": port}
    told = settings.model_copy(update={k: v for k, v in typed.items() if v is not None})
    with logging_to_stderr(as_json=output.as_json):
        serve_room(told, who=who)
    output.answer({"ended": "stopped"})


def account(settings: Settings, output: Output, *, name: str, remove: bool) -> None:
    """Set a password, or have nobody log in by a name any more."""
    accounts = Accounts(settings.ui_accounts)
    if remove:
        was_there = accounts.remove(name)
        said = f"nobody logs in as {name} any more" if was_there else f"there was no account {name}"
        output.answer({"account": name, "removed": was_there}, said)
        return
    is_new = accounts.put(name, _password())
    output.answer(
        {"account": name, "new": is_new},
        f"the account {name} was made" if is_new else f"the password of {name} was changed",
    )


def _password() -> str:
    """Ask for a password, or read the first line of standard input."""
    if sys.stdin.isatty():
        return getpass.getpass("Password: ")
    return sys.stdin.readline().rstrip("\n")
