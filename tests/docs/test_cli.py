"""The page about the command line is the command line."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from penstock.runs.settings import PREFIX, Settings
from penstock.ui.cli.app import app
from penstock.ui.cli.output import Exit
from support.checkout import ROOMS, ROOT

PAGE = (ROOT / "docs" / "cli.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table whose heading row begins so."""
    table = PAGE.split(f"| {heading} |", 1)[1].split("\n\n", 1)[0]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]
    ]


def test_every_command_and_option_is_on_the_page() -> None:
    commands = {
        name: {
            option
            for parameter in command.params
            for option in parameter.opts
            if option.startswith("--") and option != "--help"
        }
        for name, command in _commands(get_command(app))
    }
    told = {
        _name(command.strip("`")): set(re.findall(r"`(--[\w-]+)`", options))
        for command, options, _ in rows("command | options | does")
    }
    assert told == commands
    assert all("--json" in options for options in commands.values())


def test_every_exit_code_is_on_the_page() -> None:
    assert [int(code.strip("`")) for code, _ in rows("code | means")] == list(Exit)


def test_every_setting_is_on_the_page_with_its_default() -> None:
    told = {name.strip("`"): default.strip("`") for name, default, _ in rows("variable | default")}
    settings = {
        f"{PREFIX}{name.upper()}": "your login" if field.default_factory else str(field.default)
        for name, field in Settings.model_fields.items()
    }
    assert told == settings


def test_every_setting_that_is_a_number_has_its_unit_in_its_name() -> None:
    numbers = [name for name, value in Settings() if type(value) in {int, float}]
    assert numbers
    assert all(name.endswith(("_s", "_count", "_days", "_port")) for name in numbers)


def test_settings_do_not_change_and_an_empty_variable_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PENSTOCK_TENANT", "")
    settings = Settings()
    assert settings.tenant == "default"
    with pytest.raises(ValueError, match="frozen"):
        settings.tenant = "other"  # pyright: ignore[reportAttributeAccessIssue]  (it is refused)


def test_nothing_but_the_settings_reads_the_environment() -> None:
    touching = {
        file.relative_to(ROOT / room / "penstock").as_posix()
        for room in ROOMS
        for file in (ROOT / room / "penstock").rglob("*.py")
        if _touches_environment(file)
    }
    # The command line sets LangGraph's switch and the project's variables, and reads none; secrets
    # are no settings, and are read when a tool runs. A tool's own process is given a clean one, and
    # Phoenix the operator's with what hardens it.
    assert touching == {
        "nodes/isolation/sandbox.py",
        "nodes/secrets.py",
        "ui/cli/app.py",
        "ui/dev/phoenix.py",
        "ui/project.py",
    }


def _commands(group: Any) -> list[tuple[str, Any]]:
    """Return every command by its name; one of a group by both names."""
    return [
        (f"{name} {inner}".strip(), one)
        for name, command in group.commands.items()
        for inner, one in (_commands(command) if hasattr(command, "commands") else [("", command)])
    ]


def _name(command: str) -> str:
    """Return the name of a command as it is typed, without what it takes."""
    return " ".join(word for word in command.split() if word == word.lower() and word.isascii())


def _touches_environment(file: Path) -> bool:
    return any(
        isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "environb"}
        for node in ast.walk(ast.parse(file.read_text()))
    )
