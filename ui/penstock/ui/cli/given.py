"""What is given on the command line: JSON, as it stands, from a file or from standard input."""

import json
import sys
from pathlib import Path
from typing import Any

from penstock.contracts.errors import PenstockError


def read_json(text: str, *, what: str, refusal: type[PenstockError]) -> Any:
    """Return what `text` says as JSON: itself, the file of `@file`, or standard input for `-`.

    Raises:
        PenstockError: a `refusal` that says where `what` stops being JSON.
    """
    place = "standard input" if text == "-" else f"`{text[1:]}`" if text[:1] == "@" else ""
    try:
        if text == "-":
            text = sys.stdin.read()
        elif place:
            text = Path(text[1:]).read_text(encoding="utf-8")
        return json.loads(text)
    except json.JSONDecodeError as error:
        of = f" of {place}" if place else ""
        msg = (
            f"the {what} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}{of};"
            ' write it as \'{"name": "value"}\', `@file` or `-`'
        )
        raise refusal(msg) from error
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        msg = f"the {what} cannot be read from {place}: {why}"
        raise refusal(msg) from error
