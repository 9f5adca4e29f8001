"""Selects the mutants that a change could let live: those whose code or guarding tests changed.

A file names the commit at which all mutants were last killed. A mutant runs again if its module,
its own file or a file of its guarding tests differs from that commit in this working tree. A file
that only moved does not differ. Whatever is in doubt selects all.
"""

import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from support.mutants import Code, Misfit, Mutant

ALL_KILLED_AT = Path("tests/mutants/all_killed_at.txt")

MACHINERY = (
    "tests/mutants/conftest.py",
    "tests/mutants/test_mutants.py",
    "tests/support/checkout.py",
    "tests/support/code_patterns.py",
    "tests/support/mutant_selection.py",
    "tests/support/mutants.py",
    "tests/support/warm.py",
)
"""What makes and runs all mutants: a change to it says nothing of what it ran before."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The mutants that run, by their claims."""

    claims: Collection[str]
    why: str
    """How many they are and why, for people."""


class UnknownChanges(Exception):
    """What has changed since all mutants were killed cannot be found out."""


def select(subjects: Mapping[str, Sequence[Mutant]], root: Path) -> Selection:
    """Select the mutants that a change since all were killed could let live."""
    mutants = [mutant for each in subjects.values() for mutant in each]
    try:
        commit = read_commit(root)
        changed = changed_files(root, since=commit)
    except UnknownChanges as error:
        return everything(subjects, because=str(error))
    for path in MACHINERY:
        if path in changed:
            return everything(subjects, because=f"`{path}` changed since {commit[:7]}")
    code = Code(root)
    claims = [
        mutant.claim
        for subject, each in subjects.items()
        for mutant in each
        if _is_touched(mutant, {f"tests/mutants/{subject}.py"}, changed, code)
    ]
    why = f"{len(claims)} of {len(mutants)}, those changed since {commit[:7]}"
    return Selection(frozenset(claims), why)


def everything(subjects: Mapping[str, Sequence[Mutant]], *, because: str) -> Selection:
    """Select all mutants."""
    claims = frozenset(mutant.claim for each in subjects.values() for mutant in each)
    return Selection(claims, f"all {len(claims)}, because {because}")


def read_commit(root: Path) -> str:
    """Return the commit at which all mutants were last killed."""
    try:
        return (root / ALL_KILLED_AT).read_text().strip()
    except FileNotFoundError:
        msg = f"`{ALL_KILLED_AT}` does not exist"
        raise UnknownChanges(msg) from None


def record_commit(root: Path) -> str:
    """Write that all mutants were killed at the commit that is checked out, and return it.

    Raises:
        UnknownChanges: the working tree is not what that commit holds.
    """
    commit = _git(root, "rev-parse", "HEAD").strip()
    changed = changed_files(root, since=commit) - {str(ALL_KILLED_AT)}
    if changed:
        msg = f"`{min(changed)}` is not as it is in {commit[:7]}: commit it first"
        raise UnknownChanges(msg)
    (root / ALL_KILLED_AT).write_text(f"{commit}\n")
    return commit


def changed_files(root: Path, *, since: str) -> set[str]:
    """Return the files of a working tree that differ from a commit, or that it does not know.

    Raises:
        UnknownChanges: there is no Git, or it does not know the commit.
    """
    told = _git(root, "diff", "--name-status", "-z", "--relative", "--find-renames=100%", since)
    fields = iter(told.split("\0")[:-1])
    changed: set[str] = set()
    for status in fields:
        path = next(fields)
        if status.startswith("R"):
            next(fields)  # The text is the same under its new name.
        else:
            changed.add(path)
    unknown = _git(root, "ls-files", "-z", "--others", "--exclude-standard")
    return changed | set(unknown.split("\0")[:-1])


def _is_touched(mutant: Mutant, files: set[str], changed: set[str], code: Code) -> bool:
    """Return whether some files of a mutant changed; one that fits nothing is to say so."""
    tests = {test.partition("::")[0] for test in mutant.killed_by}
    try:
        place, _ = code.find(mutant)
    except Misfit:
        return True
    return not changed.isdisjoint({str(place.path), *tests, *files})


def _git(root: Path, *arguments: str) -> str:
    try:
        ended = subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, text=True, check=True
        )
    except FileNotFoundError:
        msg = "there is no Git"
        raise UnknownChanges(msg) from None
    except subprocess.CalledProcessError as error:
        msg = f"Git says: {error.stderr.strip().splitlines()[0]}"
        raise UnknownChanges(msg) from error
    return ended.stdout
