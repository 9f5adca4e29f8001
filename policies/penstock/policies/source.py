"""The text of a policy: read from a folder, written on one sheet, or built in.

On a sheet, the files of a policy stand one below the other, each under a line with its name, so
that they are copied and edited at once. `penstock policy show` writes a sheet too.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path

from penstock.contracts.errors import InvalidPolicy
from penstock.contracts.gate import OPERATORS
from penstock.contracts.policy import PolicyFile, PolicySetName, PolicySource

SUFFIX = ".cedar"

_ALLOW = """\
@id("read")
@doc("A tool that only reads may be called.")
permit (principal, action in Penstock::Action::"effect_read", resource);

@id("act")
@doc("So may any other, once its gate was approved.")
permit (principal, action, resource)
unless { action in Penstock::Action::"effect_read" };
"""

_GATES = f"""\
@id("ask-first")
@doc("Whatever does not only read is approved by a person first.")
@gate("{OPERATORS}")
@approvals("1")
@expires("P1D")
@self("allowed")
permit (principal, action, resource)
unless {{ action in Penstock::Action::"effect_read" }};
"""

_HEAD = re.compile(rf"--- (?P<set>\w+)/(?P<name>[^/]+{re.escape(SUFFIX)})(?: of \S+)?")
_WANTED = f"Wanted is one like `--- allow/main{SUFFIX}` or `--- gates/main{SUFFIX}`."


def read_source(folder: Path) -> PolicySource:
    """Read every `allow/*.cedar` and `gates/*.cedar` of a folder.

    Raises:
        InvalidPolicy: There is no such folder, no such file in it, or one that is not UTF-8.
    """
    if not folder.is_dir():
        raise InvalidPolicy(
            f"`{folder}` is no folder. Wanted is the folder of a policy, with `allow/*{SUFFIX}` and"
            f" `gates/*{SUFFIX}` in it. Make it, or correct the path."
        )
    paths = [
        (name, path)
        for name in PolicySetName
        for path in sorted((folder / name).glob(f"*{SUFFIX}"))
    ]
    if not paths:
        raise InvalidPolicy(
            f"`{folder}` has no policy in it. Wanted is at least one file `allow/*{SUFFIX}` or"
            f" `gates/*{SUFFIX}`. Write one; without a permit every call is denied."
        )
    return make_source(
        PolicyFile(set=name, name=path.name, text=_read(path, f"{name}/{path.name}"))
        for name, path in paths
    )


def make_source(files: Iterable[PolicyFile]) -> PolicySource:
    """Make one version of some files."""
    ordered = tuple(sorted(files, key=lambda file: (file.set, file.name)))
    listed = [[file.set, file.name, file.text] for file in ordered]
    written = json.dumps(listed, ensure_ascii=True, separators=(",", ":"))
    return PolicySource(files=ordered, digest=hashlib.sha256(written.encode()).hexdigest())


def builtin_policy() -> PolicySource:
    """Return it: what reads is allowed, all else is asked about first."""
    return make_source(
        [
            PolicyFile(set=PolicySetName.ALLOW, name="builtin.cedar", text=_ALLOW),
            PolicyFile(set=PolicySetName.GATES, name="builtin.cedar", text=_GATES),
        ]
    )


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


def _read(path: Path, name: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InvalidPolicy(
            f"{name}: It is not UTF-8 at byte {error.start}. Wanted is text. Save it as UTF-8."
        ) from error
    except OSError as error:
        raise InvalidPolicy(
            f"{name}: It cannot be read ({error.strerror}). Wanted is a file that this process may"
            " read. Correct its rights."
        ) from error


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
