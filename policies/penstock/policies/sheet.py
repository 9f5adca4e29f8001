"""A policy on one sheet: its files one below the other, each under a line with its name.

So it is copied and edited at once. What `penstock policy show` writes of a version is a sheet too.
"""

import re

from penstock.contracts.errors import InvalidPolicy
from penstock.contracts.policy import PolicyFile, PolicySetName, PolicySource
from penstock.policies.source import SUFFIX, make_source

_HEAD = re.compile(rf"--- (?P<set>\w+)/(?P<name>[^/]+{re.escape(SUFFIX)})(?: of \S+)?")
_WANTED = f"Wanted is one like `--- allow/main{SUFFIX}` or `--- gates/main{SUFFIX}`."


def write_sheet(source: PolicySource) -> str:
    """Return the files of a policy on one sheet."""
    return "".join(f"{heading(file)}\n{_ended(file.text)}" for file in source.files)


def heading(file: PolicyFile) -> str:
    """Return the line that stands above a file."""
    return f"--- {file.set}/{file.name}"


def read_sheet(text: str, *, like: PolicySource | None = None) -> PolicySource:
    """Read a sheet. A file that reads as in `like` is that file, to the byte.

    Raises:
        InvalidPolicy: It is not made of files; the message names each line that is wrong.
    """
    found: dict[tuple[PolicySetName, str], list[str]] = {}
    problems: list[str] = []
    file: list[str] | None = None
    for number, line in enumerate(_lines(text), 1):
        if line.startswith("--- "):
            key = _key(line)
            if key is None:
                problems.append(f"line {number}: `{line}` is no heading of a file. {_WANTED}")
            elif key in found:
                problems.append(
                    f"line {number}: `{line}` stands there twice. Put both under one, or rename it."
                )
            file = [] if key is None else found.setdefault(key, [])
        elif file is not None:
            file.append(line)
        elif line.strip():
            problems.append(f"line {number}: It stands in no file. {_WANTED} Write one above it.")
            file = []
    if not found and not problems:
        problems.append(f"line 1: There is nothing. Wanted are policies under a heading. {_WANTED}")
    if problems:
        raise InvalidPolicy("\n".join(problems))
    known = {(file.set, file.name): file.text for file in like.files} if like else {}
    return make_source(
        PolicyFile(set=key[0], name=key[1], text=_text(lines, known.get(key)))
        for key, lines in found.items()
    )


def _key(line: str) -> tuple[PolicySetName, str] | None:
    found = _HEAD.fullmatch(line.rstrip())
    if found is None or found["set"] not in list(PolicySetName):
        return None
    return PolicySetName(found["set"]), found["name"]


def _text(lines: list[str], known: str | None) -> str:
    """Return a file's text: the known one where they differ in how lines end alone."""
    if known is not None and _lines(_ended(known)) == lines:
        return known
    return "".join(f"{line}\n" for line in lines)


def _lines(text: str) -> list[str]:
    return _ended(text.replace("\r\n", "\n").replace("\r", "\n")).split("\n")[:-1]


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"
