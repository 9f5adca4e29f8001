"""Nothing that was acknowledged is lost, whatever happens to the process or the disk.

Each test starts a program of this folder, which forks the processes that are hurt.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.ui.dev.supervisor import tied_to_parent
from support import disk_faults
from support.checkout import ROOT, import_path

HERE = Path(__file__).parent


def run(program: str, *arguments: object, timeout_s: int = 240) -> str:
    """Run a program of this folder and return what it printed."""
    done = subprocess.run(
        tied_to_parent([sys.executable, str(HERE / f"{program}.py"), *map(str, arguments)]),
        env={"PYTHONPATH": import_path(), "LANGGRAPH_STRICT_MSGPACK": "true", "PATH": ""},
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.timeout(300)
def test_a_worker_killed_before_any_statement_loses_nothing(disk_path: Path) -> None:
    told = run("kill_points", disk_path)
    points = re.fullmatch(r"points: (\d+)\n", told)
    assert points, told
    assert int(points[1]) > 60


@pytest.mark.timeout(300)
def test_whoever_is_killed_at_a_named_point_others_finish(
    database_url: str, tmp_path: Path
) -> None:
    told = run("named_points", database_url, tmp_path)
    assert len(re.findall(r"^[a-z-]+: ", told, re.MULTILINE)) >= 33, told


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("database", "which", "count"), [("sqlite", "all", 63), ("postgresql", "few", 14)]
)
def test_whoever_is_killed_over_a_tool_call_it_happens_once_or_somebody_is_asked(
    request: pytest.FixtureRequest, tmp_path: Path, database: str, which: str, count: int
) -> None:
    url = request.getfixturevalue(f"{database}_url")
    told = run("effect_points", url, tmp_path, which)
    assert len(re.findall(r"^[a-z-]+: ", told, re.MULTILINE)) == count, told


@pytest.mark.timeout(120)
def test_a_worker_killed_while_it_cancels_leaves_no_call_that_nobody_asks_about(
    database_url: str, tmp_path: Path
) -> None:
    told = run("cancel_points", database_url, tmp_path)
    assert len(re.findall(r"^[a-z-]+: ", told, re.MULTILINE)) == 11, told


@pytest.mark.timeout(300)
def test_whoever_is_killed_over_an_approval_what_was_approved_happens_once(
    database_url: str, tmp_path: Path
) -> None:
    told = run("gate_points", database_url, tmp_path)
    assert len(re.findall(r"^[a-z-]+: ", told, re.MULTILINE)) == 15, told


@pytest.mark.timeout(300)
def test_whoever_is_killed_over_a_budget_each_cap_is_raised_once(
    database_url: str, tmp_path: Path
) -> None:
    told = run("budget_points", database_url, tmp_path)
    assert len(re.findall(r"^[a-z-]+: ", told, re.MULTILINE)) == 13, told


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("database", "kills"), [("sqlite", 50), ("postgresql", 20)])
def test_workers_killed_under_load_lose_nothing(
    request: pytest.FixtureRequest, tmp_path: Path, database: str, kills: int
) -> None:
    url = request.getfixturevalue(f"durable_{database}_url")
    told = run("kill_storm", url, tmp_path, kills, 1)
    counted = re.search(rf"kills: {kills}, acknowledged: (\d+)", told)
    assert counted, told
    assert int(counted[1]) > 1000


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("database", "runs", "kills"), [("sqlite", 200, 100), ("postgresql", 200, 100)]
)
def test_every_run_comes_to_its_end_whoever_is_killed(
    request: pytest.FixtureRequest, tmp_path: Path, database: str, runs: int, kills: int
) -> None:
    url = request.getfixturevalue(f"{database}_url")
    told = run("worker_storm", url, tmp_path, runs, kills, 1)
    counted = re.search(rf"runs: {runs}, kills: {kills}, taken over: (\d+)", told)
    assert counted, told
    # Kills that hit nobody at work would prove nothing.
    assert int(counted[1]) > runs // 10


@pytest.mark.nightly
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(2, 12))
def test_workers_killed_again_and_again_lose_nothing(
    durable_sqlite_url: str, tmp_path: Path, seed: int
) -> None:
    run("kill_storm", durable_sqlite_url, tmp_path, 60, seed, timeout_s=900)


@pytest.mark.nightly
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(2, 7))
def test_every_run_comes_to_its_end_again_and_again(
    durable_sqlite_url: str, tmp_path: Path, seed: int
) -> None:
    told = run("worker_storm", durable_sqlite_url, tmp_path, 200, 200, seed, timeout_s=900)
    assert "runs: 200, kills: 200, " in told, told


@pytest.mark.skipif(
    not disk_faults.is_possible(), reason="breaking the disk needs Linux on x86-64 or arm64"
)
@pytest.mark.parametrize("stored", [1, 2, 5, 9])
@pytest.mark.parametrize(
    ("fault", "told"), [("sync", "store_broken .* disk I/O error"), ("full", "store_full .* full")]
)
def test_a_failing_disk_is_told_and_loses_nothing(
    disk_path: Path, fault: str, told: str, stored: int
) -> None:
    first, second = run("broken_disk", disk_path, fault, stored).splitlines()
    assert re.search(told, first), first
    # On the same broken disk the next attempt fails as loudly.
    assert re.search("store_(broken|full)", second), second


@pytest.mark.parametrize("node", ["plan", "left", "verify"])
def test_a_woken_zombie_writes_nothing(database_url: str, tmp_path: Path, node: str) -> None:
    told = run("zombie", database_url, tmp_path, node)
    assert re.search(r"lost: run `\S+` may not be written at epoch 1", told), told


@pytest.mark.parametrize("place", ["node", "claim", "end"])
@pytest.mark.parametrize(("wake", "learns"), [("driving", "refusal"), ("ended", "beat")])
def test_a_woken_worker_writes_nothing_and_works_on(
    database_url: str, tmp_path: Path, place: str, wake: str, learns: str
) -> None:
    told = run("worker_zombie", database_url, tmp_path, place, wake, learns, timeout_s=100)
    assert len(set(re.findall(r"^lost: (\S+)$", told, re.MULTILINE))) == 4, told


def test_the_runs_of_a_worker_that_drains_are_taken_over_at_once(
    database_url: str, tmp_path: Path
) -> None:
    told = run("worker_drain", database_url, tmp_path, timeout_s=100)
    assert re.search(r"^claimed after \d+ ms$", told, re.MULTILINE), told
