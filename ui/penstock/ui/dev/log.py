"""One log for all parts, on standard error: each line says whose it is, in a colour of its own."""

import json
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

OWN = "penstock"
"""Whose the lines of `penstock dev` itself are."""

_COLOURS = ("cyan", "green", "magenta", "yellow", "blue")


class Log:
    """Takes the lines of all parts."""

    def __init__(self, names: Sequence[str], *, as_json: bool) -> None:
        """Take those of `names`; as JSON objects, or for people."""
        self._as_json = as_json
        self._width = max(map(len, (OWN, *names)))
        self._styles = dict(zip(names, _COLOURS, strict=False)) | {OWN: "bold"}
        self._console = Console(stderr=True, highlight=False, markup=False, emoji=False)

    def say(self, name: str, line: str) -> None:
        """Print a line of one of them."""
        if self._as_json:
            print(json.dumps({"from": name, "line": line}), file=sys.stderr, flush=True)
            return
        whose = Text(f"{name:<{self._width}} │ ", style=self._styles.get(name, ""))
        self._console.print(whose + Text.from_ansi(line), soft_wrap=True)
