"""What `setup.py` does once it runs on a Python that is new enough.

uv makes `.venv`, or an environment apart from it, from the pinned and hashed requirements and
installs the checkout in editable form, where it belongs there.
A stamp, written last, holds a digest of everything the environment was made from: while it fits
there is nothing to do, and an interrupted set-up leaves none.
"""

import argparse
import hashlib
import importlib.util
import os
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
TOOLS = ROOT / ".tools"
REQUIREMENTS = ROOT / "requirements"

# Resolved, because `python3` may be the one in an active `.venv`, which is about to be replaced.
INTERPRETER = Path(sys.executable).resolve()

PROFILES = {
    "runtime": (REQUIREMENTS / "build.txt", REQUIREMENTS / "runtime.txt"),
    "dev": (REQUIREMENTS / "build.txt", REQUIREMENTS / "dev.txt"),
    "agentdojo": (REQUIREMENTS / "build.txt", REQUIREMENTS / "agentdojo.txt"),
    "phoenix": (REQUIREMENTS / "phoenix.txt",),
}
# What Penstock neither needs nor shall stumble over is kept out of `.venv`.
APART = {"agentdojo": ROOT / ".venv-agentdojo", "phoenix": ROOT / ".venv-phoenix"}
WITHOUT_PENSTOCK = {"phoenix"}
OLDEST_UV = (0, 11)


def has_postgresql_server() -> bool:
    """Tell whether tests will find `initdb`, on PATH or where Debian keeps it."""
    return bool(shutil.which("initdb") or list(Path("/usr/lib/postgresql").glob("*/bin/initdb")))


def has_chromium() -> bool:
    """Tell whether tests will find a Chromium on PATH."""
    return any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))


class Program(NamedTuple):
    """A program that tests start, and what to install where it is missing."""

    name: str
    package: str
    is_there: Callable[[], bool]


PROGRAMS = (
    Program("PostgreSQL's server", "postgresql", has_postgresql_server),
    Program("Chromium", "chromium", has_chromium),
)


def main() -> None:
    """Read the command line and bring the environment up to date."""
    parser = argparse.ArgumentParser(prog="scripts/setup.py", description="Make an environment.")
    parser.add_argument("profile", choices=PROFILES)
    parser.add_argument(
        "--system-packages",
        action="store_true",
        help="also install, when run by root, the system packages that tests need",
    )
    arguments = parser.parse_args()
    try:
        make_environment(arguments.profile)
        if arguments.system_packages:
            install_system_packages()
    except subprocess.CalledProcessError as error:
        command = " ".join(map(str, error.cmd))
        sys.exit(f"Set-up stopped: `{command}` ended with status {error.returncode}.")


def make_environment(profile: str) -> None:
    """Make an environment hold exactly what `profile` pins, unless it does already."""
    venv = APART.get(profile, VENV)
    if read_stamp(venv, profile) == digest(profile):
        return
    if venv == VENV and (VENV / "dev.stamp").exists():
        # Once made for development, it is kept so: `make demo` takes no tools away.
        profile = "dev"
    was_finished = any(venv.glob("*.stamp"))
    for stale in venv.glob("*.stamp"):
        stale.unlink()

    uv = find_uv()
    say(f"setting up {venv.name} for {profile} with Python {sys.version.split()[0]}")
    python = venv / "bin" / "python"
    if not was_finished or not is_made_from(python, INTERPRETER):
        # Whatever an interrupted set-up left may be half a package that looks whole.
        shutil.rmtree(venv, ignore_errors=True)
        run(uv, "venv", "--quiet", "--clear", "--no-project", "--python", INTERPRETER, venv)
    run(uv, "pip", "sync", "--quiet", "--python", python, "--require-hashes", *PROFILES[profile])
    if profile not in WITHOUT_PENSTOCK:
        editable = ("--no-deps", "--no-build-isolation", "--editable", ROOT)
        run(uv, "pip", "install", "--quiet", "--python", python, *editable)

    # The development environment serves the runtime's purposes too.
    for made in {profile} if profile in APART else {"runtime", profile}:
        (venv / f"{made}.stamp").write_text(digest(made))


def install_system_packages() -> None:
    """Install what tests start and Python cannot bring, or say which tests will be left out."""
    for program in PROGRAMS:
        if program.is_there():
            continue
        if can_install_packages():
            say(f"installing {program.name}, which tests start for themselves")
            try:
                install_packages(program.package)
            except subprocess.CalledProcessError as error:
                say(f"apt-get ended with status {error.returncode}")
        if not program.is_there():
            say(
                f"{program.name} is not installed: the tests that need it will be left out, and "
                "the end of the run counts them. "
                f"To run them: apt-get install {program.package} (as root)"
            )


def find_uv() -> str:
    """Give the uv on PATH if it is new enough, else the pinned one, installed into `.tools`."""
    on_path = shutil.which("uv")
    if on_path and uv_version(on_path) >= OLDEST_UV:
        return on_path
    pinned = REQUIREMENTS / "uv.txt"
    uv = TOOLS / "bin" / "uv"
    wanted = hashlib.sha256(pinned.read_bytes()).hexdigest()
    if read_stamp(TOOLS, "uv") == wanted and uv_version(str(uv)) >= OLDEST_UV:
        return str(uv)
    need_venv()
    say("installing uv into .tools")
    run(INTERPRETER, "-m", "venv", "--clear", TOOLS)
    pip = (TOOLS / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check")
    run(*pip, "install", "--require-hashes", "--requirement", pinned)
    (TOOLS / "uv.stamp").write_text(wanted)
    return str(uv)


def need_venv() -> None:
    """Make sure that `python -m venv` works, which Debian keeps in a package of its own."""
    if has_venv():
        return
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if can_install_packages():
        say(f"installing {package}, without which Python cannot make a virtual environment")
        install_packages(package)
        importlib.invalidate_caches()
    if not has_venv():
        sys.exit(
            f"`{INTERPRETER}` cannot make virtual environments: its modules `venv` and `ensurepip` "
            f"are not both there. Install them (Debian and Ubuntu: `apt-get install {package}` as "
            f"root), or put uv {'.'.join(map(str, OLDEST_UV))} or newer on PATH."
        )


def install_packages(*packages: str) -> None:
    """Install Debian packages; fetch the package lists only when those at hand do not serve."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ("apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *packages)
    if subprocess.run(install, env=environment, check=False).returncode != 0:
        subprocess.run(("apt-get", "update", "--quiet"), env=environment, check=True)
        subprocess.run(install, env=environment, check=True)


def can_install_packages() -> bool:
    """Tell whether this is root on a Debian-like system."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def has_venv() -> bool:
    """Tell whether this Python can make a virtual environment with pip in it."""
    return all(importlib.util.find_spec(name) is not None for name in ("venv", "ensurepip"))


def digest(profile: str) -> str:
    """Give a digest of everything that an environment for `profile` is made from."""
    made_from = hashlib.sha256(f"{ROOT}\n{INTERPRETER}\n{sys.version}\n".encode())
    for file in (Path(__file__), ROOT / "pyproject.toml", *PROFILES[profile]):
        made_from.update(file.read_bytes())
    return made_from.hexdigest()


def read_stamp(folder: Path, name: str) -> str | None:
    """Give the digest that the stamp `name` in `folder` holds, or None where there is no stamp."""
    try:
        return (folder / f"{name}.stamp").read_text()
    except FileNotFoundError:
        return None


def is_made_from(python: Path, interpreter: Path) -> bool:
    """Tell whether the environment of `python` runs and was made from `interpreter`."""
    return output(python, "-c", "import sys; print(sys.version)") == sys.version and (
        python.resolve() == interpreter
    )


def uv_version(uv: str) -> tuple[int, ...]:
    """Give the version of a uv, or an empty one where it does not run."""
    found = re.match(r"uv (\d+)\.(\d+)", output(uv, "--version"))
    return tuple(map(int, found.groups())) if found else ()


def output(*command: str | Path) -> str:
    """Give what a command prints, or nothing where it fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def run(*command: str | Path) -> None:
    """Run a command in the checkout, without ever letting uv fetch a Python of its own."""
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    if has_system_certificates():
        # Some networks sign with an authority that only this machine knows.
        environment.setdefault("UV_SYSTEM_CERTS", "true")
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


def has_system_certificates() -> bool:
    """Tell whether this machine keeps certificates; a slim container may have none."""
    paths = ssl.get_default_verify_paths()
    return bool(paths.cafile or (paths.capath and any(Path(paths.capath).iterdir())))


def say(sentence: str) -> None:
    """Tell the person at the terminal what is going on."""
    print(f"set-up: {sentence}", flush=True)
