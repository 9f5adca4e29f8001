"""The command line: every command, in the order in which `--help` lists them.

Each module beside this one holds a noun: its commands, what they do, and what they print. What is
heavy is imported by the command that needs it, so that `--help` is quick, a command that only asks
the store is too, and LangGraph finds its strict mode set when it is first imported.
"""

import os
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from penstock.ui.cli import (
    actions,
    audit,
    budgets,
    control_room,
    dev,
    doctor,
    effects,
    example,
    forks,
    gates,
    policies,
    run,
    runs,
    store,
    tools,
    workers,
)
from penstock.ui.cli.output import with_exit_code

STRICT = "LANGGRAPH_STRICT_MSGPACK"
"""LangGraph's switch: what is read from a checkpoint must not be able to run code."""

_Command = Callable[..., int | None]

_COMMANDS: tuple[_Command, ...] = (
    example.init,
    run.run,
    actions.forget,
    store.retention,
    dev.dev,
    store.migrate,
    doctor.doctor,
    runs.runs,
    runs.show,
    effects.effects,
    tools.tools,
    budgets.budget,
    budgets.spend,
    gates.gates,
    gates.decide,
    gates.look_up,
    gates.break_glass,
    gates.delegate,
    actions.cancel,
    actions.redrive,
    actions.pause,
    actions.resume,
    forks.fork,
    runs.export,
)
_POLICY_COMMANDS: tuple[_Command, ...] = (
    policies.check,
    policies.load,
    policies.use,
    policies.show,
    policies.explain,
    policies.whatif,
)
_AUDIT_COMMANDS: tuple[_Command, ...] = (audit.verify, audit.show, audit.export, audit.keygen)
_SERVICE_COMMANDS: tuple[_Command, ...] = (
    control_room.ui,
    control_room.account,
    workers.worker,
    workers.workers,
    workers.drain,
)

app = typer.Typer(
    name="penstock",
    help="Durable, governed runs for LangGraph agents.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main() -> None:
    """Run the command line."""
    app()


@app.callback()
def prepare(
    *,
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Durable, governed runs for LangGraph agents."""
    if _version:
        _print_version()
        raise typer.Exit
    os.environ[STRICT] = "true"


def _print_version() -> None:
    try:
        typer.echo(f"penstock {version('penstock')}")
    except PackageNotFoundError:
        typer.echo("penstock (not installed as a package)")


def _group(
    commands: tuple[_Command, ...], *, name: str | None = None, about: str | None = None
) -> typer.Typer:
    """Return a group of commands; without a name, they stand among those of the group above."""
    group = typer.Typer(name=name, help=about, no_args_is_help=True)
    for command in commands:
        group.command()(with_exit_code(command))
    return group


app.add_typer(_group(_COMMANDS))
app.add_typer(
    _group(_POLICY_COMMANDS, name="policy", about="Check, load, explain and try out policies.")
)
app.add_typer(_group(_AUDIT_COMMANDS, name="audit", about="Verify, show and take out the audit."))
app.add_typer(_group(_SERVICE_COMMANDS))
