"""Commands that only ask the store import nothing that they do not need."""

import json
import os
import subprocess
import sys

from support.checkout import import_path
from support.command_line import CommandLine

SLOW = (
    *("alembic", "apprise", "cedarpy", "cryptography", "genai_prices", "httpx", "jsonschema"),
    *("langchain_core", "langgraph", "opentelemetry", "pandas", "phoenix", "streamlit"),
)

PROGRAM = f"""
import json, sys
from typer.testing import CliRunner
from penstock.ui.cli.app import app
for typed in json.loads(sys.argv[1]):
    result = CliRunner().invoke(app, typed)
    slow = sorted(set({SLOW!r}) & set(sys.modules))
    print(" ".join(typed), "ends with", result.exit_code, "and imports", slow)
    if slow:
        break
"""


def test_commands_that_ask_the_store_import_nothing_slow(cli: CommandLine) -> None:
    run_id = cli.start("chain")
    commands = [
        ["runs"],
        ["show", run_id],
        ["gates"],
        ["effects"],
        ["budget", run_id],
        ["spend"],
        ["workers"],
        ["retention"],
        ["delegate"],
        ["policy", "explain", run_id],
        ["audit", "show"],
        ["audit", "verify"],
        ["audit", "export"],
    ]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(commands)],
        cwd=cli.folder,
        env={**os.environ, "PYTHONPATH": import_path()},
        capture_output=True,
        text=True,
        check=True,
    )
    told = [f"{' '.join(typed)} ends with 0 and imports []" for typed in commands]
    assert done.stdout.splitlines() == told, done.stderr


def test_a_migration_imports_no_langgraph(cli: CommandLine) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps([["migrate"]])],
        cwd=cli.folder,
        env={**os.environ, "PYTHONPATH": import_path()},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["migrate ends with 0 and imports ['alembic']"], done.stderr
