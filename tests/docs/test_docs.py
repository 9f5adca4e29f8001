"""What the documentation says is what the code does."""

import inspect
import re
import subprocess
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

import pytest

from penstock.contracts import effect, errors
from penstock.contracts.errors import PenstockError
from penstock.contracts.run import TRANSITIONS, FailureCode, RunStatus
from support.checkout import ROOMS, ROOT, import_path

DOCS = ROOT / "docs"


def rows(page: Path, heading: str) -> list[list[str]]:
    """Return the cells of the tables whose heading row begins so, without their backticks."""
    tables = [part.split("\n\n", 1)[0] for part in page.read_text().split(f"| {heading} |")[1:]]
    return [
        [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        for table in tables
        for line in table.splitlines()[2:]
    ]


def run(program: list[str], cwd: Path) -> str:
    """Run a program as a user would, and return what it printed."""
    done = subprocess.run(
        [sys.executable, *program],
        cwd=cwd,
        env={"PYTHONPATH": import_path(), "LANGGRAPH_STRICT_MSGPACK": "true", "PATH": ""},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize(
    ("number", "moves", "first"),
    [(1, TRANSITIONS, RunStatus.QUEUED), (2, effect.TRANSITIONS, effect.EffectStatus.STARTED)],
    ids=["runs", "effects"],
)
def test_a_drawing_shows_exactly_the_moves_of_its_table(
    number: int, moves: Mapping[StrEnum, frozenset[StrEnum]], first: StrEnum
) -> None:
    drawing = (DOCS / "states.md").read_text().split("```mermaid")[number].split("```", 1)[0]
    drawn = set(re.findall(r"^ +(\w+) --> (\w+)", drawing, re.MULTILINE))
    assert drawn == {(str(a), str(b)) for a, targets in moves.items() for b in targets}
    begins = re.findall(r"\[\*\] --> (\w+)", drawing)
    ends = set(re.findall(r"(\w+) --> \[\*\]", drawing))
    assert begins == [first]
    assert ends == {status for status, targets in moves.items() if not targets}


def test_every_state_and_every_failure_code_is_explained() -> None:
    page = DOCS / "states.md"
    states = [*RunStatus, *effect.EffectStatus]
    assert [name for name, _ in rows(page, "state | means")] == states
    assert [code for code, _ in rows(page, "code | means")] == list(FailureCode)


def test_the_table_of_errors_is_the_code() -> None:
    raised = [
        member
        for _, member in inspect.getmembers(errors, inspect.isclass)
        if issubclass(member, PenstockError)
    ]
    told = {
        name: (code, retry) for name, code, retry, _ in rows(DOCS / "errors.md", "error | code")
    }
    assert told == {
        member.__name__: (member.code, "yes" if member.retryable else "no") for member in raised
    }
    codes = [code for code, _ in told.values()]
    assert len(set(codes)) == len(codes)


def test_the_readme_names_every_room() -> None:
    named = re.findall(r"^\| `(\w+)/`", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert set(ROOMS) <= set(named)
    assert all((ROOT / name).is_dir() for name in named)


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))])
def test_every_link_and_every_path_leads_somewhere(page: Path) -> None:
    text = page.read_text()
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (page.parent / target).exists(), target
    folders = "|".join(("tests", "docs", "scripts", "examples", "bench", *ROOMS))
    for path in re.findall(rf"`((?:{folders})/[\w/.]+)`", text):
        room, _, module = path.partition("/")
        # Pages leave out the folders that all modules of a room lie in.
        assert (ROOT / path).exists() or (ROOT / room / "penstock" / room / module).exists(), path


def test_the_snippet_of_the_readme_runs(tmp_path: Path) -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert run(["-c", snippet], tmp_path) == "{'count': 2}\n"


def test_the_demonstration_outlives_its_workers(tmp_path: Path) -> None:
    told = " ".join(run([str(ROOT / "examples" / "agent_loop.py")], tmp_path).split())
    assert told.count("is killed inside `look_up`") == 2
    assert "The run succeeded at epoch 3. Of 19 steps, 2 were begun a second time" in told
