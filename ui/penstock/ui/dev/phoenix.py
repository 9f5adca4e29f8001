"""Phoenix as `penstock dev` runs it: where it is installed, and how it is hardened."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from penstock.ui.dev import environment, ports
from penstock.ui.dev.part import Part

VERSION = "20.26.1"
"""The Phoenix that this was tried with; `requirements/phoenix.in` pins the same."""
FOLDER = ".venv-phoenix"
"""What its environment is called where `make phoenix` made it, or somebody by hand."""
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
"""What an operator may say otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phoenix:
    """A Phoenix that is installed."""

    python: Path
    """The Python of its environment."""

    def part(self, *, port: int, folder: Path) -> Part:
        """Return it as a part that keeps its data in `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        fixed = {
            "PHOENIX_HOST": ports.HOST,
            "PHOENIX_PORT": str(port),
            # Spans come by HTTP; its other port must not be in anybody's way.
            "PHOENIX_GRPC_PORT": str(ports.free_port()),
        }
        where = {"PHOENIX_WORKING_DIR": str(folder.resolve())}
        return Part(
            name="phoenix",
            command=(str(self.python), "-I", _MAIN),
            env=environment.of_phoenix({**HARDENED, **where}, fixed),
            stop_s=STOP_S,
            restarts=False,
            health=(port, "/healthz"),
            up=f"shows traces at {url(port)}",
            quiet=True,
            todo="Start `penstock dev` again to have it back.",
        )


def find(named: Path | None) -> Phoenix | None:
    """Return the Phoenix of the environment that is named, or the first one that is found.

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
    """Return where a Phoenix on this machine is found."""
    return f"http://{ports.HOST}:{port}"
