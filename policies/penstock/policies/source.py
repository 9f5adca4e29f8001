"""The text of a policy, read from a folder as one version."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from penstock.contracts.errors import InvalidPolicy
from penstock.contracts.policy import PolicyFile, PolicySetName, PolicySource

SUFFIX = ".cedar"


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
