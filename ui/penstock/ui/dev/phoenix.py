"""Phoenix as `penstock dev` runs it: how it is found and hardened, and who uses it."""

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from penstock.runs.settings import PREFIX
from penstock.ui.dev import ports
from penstock.ui.dev.supervisor import Program

_TRACES_DESTINATIONS = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_TRACES_EXPORTER",
    "OTEL_SDK_DISABLED",
)
VERSION = "20.26.1"
"""The version of Phoenix that this was tried with; `requirements/phoenix.in` pins the same."""
FOLDER = ".venv-phoenix"
"""The folder of its environment, as `make phoenix` makes it."""
PROGRAM = "arize-phoenix"
RETENTION_DAYS = 30
STOP_S = 10.0
INSTALL = f"uv tool install {PROGRAM}=={VERSION}"
MISSING = (
    f"Phoenix is not installed. It has an environment of its own: `{INSTALL}`, `make phoenix` in a"
    " checkout, or any that PENSTOCK_PHOENIX_ENV names"
)
_MAIN = str(Path(__file__).with_name("phoenix_main.py"))
HARDENED = {
    # Nothing leaves this machine: not from the server, not from the pages in a browser.
    "PHOENIX_TELEMETRY_ENABLED": "false",
    "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
    # Pages of other origins cannot make a browser ask anything of it.
    "PHOENIX_CSRF_TRUSTED_ORIGINS": f"http://{ports.HOST},http://localhost",
    # It shows traces, and runs nothing: no assistant, no tools for agents, no code.
    "PHOENIX_DISABLE_AGENT_ASSISTANT": "true",
    "PHOENIX_AGENTS_DISABLE_BASH": "true",
    "PHOENIX_AGENTS_DISABLE_WEB_ACCESS": "true",
    "PHOENIX_AGENTS_DISABLE_GITHUB": "true",
    "PHOENIX_ENABLE_MCP_SERVER": "false",
    "PHOENIX_ALLOWED_SANDBOX_PROVIDERS": "NONE",
    # It takes this when it makes its database, and its own settings page says it from then on.
    "PHOENIX_DEFAULT_RETENTION_POLICY_DAYS": str(RETENTION_DAYS),
    "PHOENIX_LOGGING_LEVEL": "warning",
    "PHOENIX_LOG_MIGRATIONS": "false",
}
"""Settings of Phoenix that the environment of an operator may override."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phoenix:
    """A Phoenix that is installed."""

    python: Path
    """The Python of its environment."""

    def program(self, *, port: int, folder: Path) -> Program:
        """Return it as a program that keeps its data in `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        fixed = {
            "PHOENIX_HOST": ports.HOST,
            "PHOENIX_PORT": str(port),
            # Spans come by HTTP; its other port must not be in anybody's way.
            "PHOENIX_GRPC_PORT": str(ports.free_port()),
        }
        where = {"PHOENIX_WORKING_DIR": str(folder.resolve())}
        return Program(
            name="phoenix",
            command=(str(self.python), "-I", _MAIN),
            env=phoenix_environment({**HARDENED, **where}, fixed),
            stop_s=STOP_S,
            restarts=False,
            health=(port, "/healthz"),
            up=f"shows traces at {url(port)}",
            quiet=True,
            advice="Start `penstock dev` again to have it back.",
        )


def penstock_environment(*, ui_url: str | None, phoenix_url: str | None) -> Mapping[str, str]:
    """Return the environment of workers and pages, with the addresses of each other and of Phoenix.

    What is set already stays. Traces go to Phoenix unless the environment sends them elsewhere.
    """
    added = {"PYTHONUNBUFFERED": "1"}
    if ui_url is not None:
        added[f"{PREFIX}UI_URL"] = ui_url
    if phoenix_url is not None:
        added[f"{PREFIX}PHOENIX_URL"] = phoenix_url
        if not any(os.environ.get(name) for name in _TRACES_DESTINATIONS):
            added["OTEL_EXPORTER_OTLP_ENDPOINT"] = phoenix_url
            added["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf"
    return _with_environment(added)


def phoenix_environment(added: Mapping[str, str], fixed: Mapping[str, str]) -> Mapping[str, str]:
    """Return Phoenix's environment: `added` where nothing is set, and `fixed` in any case."""
    return {**_with_environment({"PYTHONUNBUFFERED": "1", **added}), **fixed}


def find(named: Path | None) -> Phoenix | None:
    """Return the Phoenix of a named environment, or the first one that is found.

    It is looked for in `.venv-phoenix` in this folder and beside the environment that Penstock runs
    in, and then where `arize-phoenix` on PATH belongs.
    """
    folders = [Path(FOLDER), Path(sys.prefix).parent / FOLDER] if named is None else [named]
    programs = [folder / "bin" / PROGRAM for folder in folders]
    on_path = shutil.which(PROGRAM) if named is None else None
    if on_path is not None:
        programs.append(Path(on_path))
    for program in programs:
        # A tool that uv or pipx installed is a link into its environment.
        python = program.resolve().with_name("python")
        if program.exists() and python.exists():
            return Phoenix(python=python)
    return None


def url(port: int) -> str:
    """Return the address of a Phoenix on this machine."""
    return f"http://{ports.HOST}:{port}"


def _with_environment(added: Mapping[str, str]) -> dict[str, str]:
    known = {name: value for name, value in os.environ.items() if value}
    return {**added, **known}
