"""Make the environment in `.venv`: `python3 scripts/setup.py runtime`, or `dev` for all tools.

Any Python 3 can read this file: it hands over to one that is new enough for Penstock, or says that
there is none.
"""

import os
import subprocess
import sys

NEW_ENOUGH = "import sys; sys.exit(sys.version_info < (3, 11))"
CANDIDATES = ("python3.13", "python3.12", "python3.11", "python3.14")


def main() -> None:
    """Set up with this Python, or with a newer one on PATH."""
    if sys.version_info >= (3, 11):  # noqa: UP036 - the Makefile starts whatever `python3` is
        import environment  # noqa: PLC0415 - an older Python could not read it

        environment.main()
        return
    for candidate in CANDIDATES:
        try:
            found = subprocess.call([candidate, "-c", NEW_ENOUGH], stderr=subprocess.DEVNULL) == 0
        except OSError:
            continue
        if found:
            os.execvp(candidate, [candidate] + sys.argv)  # noqa: RUF005, S606 - in old syntax
    sys.exit(
        "Penstock needs Python 3.11 or newer; `"
        + sys.executable
        + "` is "
        + sys.version.split()[0]
        + " and PATH holds no newer one. Install one, then name it: `make PYTHON=/path/to/python3`."
    )


if __name__ == "__main__":
    main()
