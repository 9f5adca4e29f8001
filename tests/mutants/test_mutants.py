"""Rules that must not go unnoticed if they are broken: each is broken here, and a test must fail.

The checkout is copied, one line is changed in the copy, and the tests that guard it run there.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.checkout import ROOMS, ROOT

CHECKPOINTS = "checkpoints/penstock/checkpoints"
FENCE = ("tests/integration/test_fence.py",)
RUNS = ("tests/integration/test_runs.py",)
RUNTIME = ("tests/integration/test_runtime.py",)
STEPS = ("tests/integration/test_steps.py",)
WRITER = ("tests/integration/test_writer.py",)
CHECKPOINTER = ("tests/integration/test_checkpointer.py",)
LANES = ("tests/unit/test_lanes.py", *CHECKPOINTER)
DELTAS = ("tests/unit/test_deltas.py", *CHECKPOINTER)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One broken rule."""

    claim: str
    """What would be true of the product if this mutant lived."""
    module: str
    old: str
    new: str
    tests: Sequence[str]


MUTANTS = [
    # ---- the fence ----
    Mutant(
        "an old epoch may write",
        "fence.py",
        "tuple(own[1:]) != (RunStatus.RUNNING, fence.epoch)",
        "own[1] != RunStatus.RUNNING",
        FENCE,
    ),
    Mutant(
        "a run that does not run may be written",
        "fence.py",
        "tuple(own[1:]) != (RunStatus.RUNNING, fence.epoch)",
        "own[2] != fence.epoch",
        FENCE,
    ),
    Mutant(
        "a run that does not exist may be written",
        "fence.py",
        "if own is None or tuple(own[1:])",
        "if own is None:\n                return\n            if tuple(own[1:])",
        FENCE,
    ),
    Mutant(
        "anybody may write to the thread of a live run",
        "fence.py",
        "if live is not None:",
        "if live is not None and fence is not None:",
        FENCE,
    ),
    Mutant(
        "a lease opens every thread",
        "fence.py",
        "            if own[0] == thread_id:\n                return",
        "            return",
        FENCE,
    ),
    Mutant(
        "checkpoints and writes are not fenced",
        "saver/changes.py",
        "        self._fences.check(connection, thread_id=lane.thread_id, fence=lane.fence)\n",
        "",
        FENCE,
    ),
    *(
        Mutant(
            f"a live thread can be changed: {what}",
            "saver/changes.py",
            f"        self._fences.check(connection, thread_id={thread}, fence=None)\n"
            f"        {then}",
            f"        {then}",
            FENCE,
        )
        for what, thread, then in (
            ("deleted", "thread_id", "delete_thread(connection, thread_id)"),
            ("copied onto", "target_id", "copy_thread(connection, source_id"),
            ("pruned", "thread_id", "self._thinning.keep_latest("),
        )
    ),
    Mutant(
        "the checkpoints of a live run can be deleted",
        "saver/changes.py",
        "            self._fences.check(connection, thread_id=thread_id, fence=None)\n",
        "            del thread_id\n",
        FENCE,
    ),
    Mutant(
        "an old driver may move its run",
        "run_sql.py",
        '                runs.c.epoch == bindparam("at_epoch"),\n',
        "",
        RUNS,
    ),
    Mutant(
        "a move does not look at the state",
        "run_sql.py",
        '                text(one_of("status", sources(to))),\n',
        "",
        RUNS,
    ),
    Mutant(
        "a claim leaves the epoch",
        "run_sql.py",
        "epoch=runs.c.epoch + 1",
        "epoch=runs.c.epoch",
        (*RUNS, *FENCE),
    ),
    Mutant(
        "a run is claimed twice",
        "run_sql.py",
        '.where(runs.c.id == bindparam("run_id"), runs.c.status == RunStatus.QUEUED)',
        '.where(runs.c.id == bindparam("run_id"))',
        RUNS,
    ),
    # ---- runs ----
    Mutant(
        "two runs of a thread are driven at once",
        "leases.py",
        "or_(false(), *known), free)",
        "or_(false(), *known))",
        RUNTIME,
    ),
    Mutant(
        "a worker drives a graph of another shape",
        "leases.py",
        "and_(runs.c.graph == name, runs.c.fingerprint == fingerprint)",
        "and_(runs.c.graph == name)",
        RUNTIME,
    ),
    Mutant(
        "a dead worker's runs stay with it",
        "leases.py",
        "runs.c.lease_expires_at < database_now(connection.dialect)",
        "runs.c.lease_expires_at > database_now(connection.dialect)",
        RUNTIME,
    ),
    Mutant(
        "a worker that lives keeps a run that it has given up",
        "leases.py",
        "            runs.c.id.in_(driven),\n",
        "",
        RUNTIME,
    ),
    Mutant(
        "a run may take workers down for ever",
        "leases.py",
        "elif lost_count + 1 >= lost_limit:",
        "elif lost_count < 0:",
        RUNTIME,
    ),
    Mutant(
        "a closed gate is decided again",
        "gates.py",
        ".where(gates.c.id == gate_id, gates.c.status == GateStatus.OPEN)",
        ".where(gates.c.id == gate_id)",
        RUNTIME,
    ),
    Mutant(
        "a decision that comes while the run parks is not heard",
        "runs.py",
        "if gates.any_decided(connection, waits_for):",
        "if not questions and gates.any_decided(connection, []):",
        RUNTIME,
    ),
    Mutant(
        "a cancellation that comes while the run parks is not heard",
        "runs.py",
        "if run.cancel_by is not None:",
        "if run.cancel_by is not None and not questions:",
        RUNS,
    ),
    Mutant(
        "gates stay open when their run is over",
        "runs.py",
        "        gates.cancel_open(connection, run.id, at=at, actor=actor)\n",
        "        pass\n",
        RUNTIME,
    ),
    Mutant(
        "an old driver writes steps",
        "steps.py",
        '        runs.c.epoch == bindparam("epoch"),\n',
        "",
        STEPS,
    ),
    Mutant(
        "steps are written of a run that is over",
        "steps.py",
        "        runs.c.status == RunStatus.RUNNING,\n",
        "",
        STEPS,
    ),
    Mutant(
        "a step that has succeeded is told of again",
        "steps.py",
        "            before.c.status == StepStatus.SUCCEEDED,\n",
        "            before.c.status == StepStatus.PARKED,\n",
        STEPS,
    ),
    # ---- versions kept as differences ----
    Mutant(
        "a version is built on bytes that are not stored",
        "saver/values.py",
        "        if self._sql.add_value(connection, namespace.id, channel, row):\n    ",
        "        self._sql.add_value(connection, namespace.id, channel, row)\n",
        CHECKPOINTER,
    ),
    Mutant(
        "a version is built on one that was undone",
        "saver/changes.py",
        "            self._values.heads.drop(namespace.key)\n",
        "",
        CHECKPOINTER,
    ),
    Mutant(
        "a version is built on one whose commit failed",
        "saver/changes.py",
        "                self._values.heads.clear()\n",
        "                pass\n",
        CHECKPOINTER,
    ),
    Mutant(
        "a version is built on one that was pruned by another process",
        "saver/sql.py",
        "return self.id, self.generation",
        "return self.id, 0",
        CHECKPOINTER,
    ),
    Mutant(
        "pruning begins no new generation",
        "saver/retention.py",
        "generation=ns.c.generation + 1",
        "generation=ns.c.generation",
        CHECKPOINTER,
    ),
    Mutant(
        "pruning leaves a version without its base",
        "saver/retention.py",
        "(channel, base) not in needed",
        "(channel, base) in needed",
        CHECKPOINTER,
    ),
    Mutant(
        "pruning takes away what a DeltaChannel rests on",
        "saver/retention.py",
        "open_channels = set(_delta_channels(row))",
        "open_channels = set[str]()",
        CHECKPOINTER,
    ),
    Mutant(
        "a difference is laid on any base",
        "saver/deltas.py",
        "if len(raw) != length:",
        "if len(raw) < 0:",
        DELTAS,
    ),
    Mutant(
        "the back of a value is counted into its front",
        "saver/deltas.py",
        "_shared_back(raw, base, limit - front)",
        "_shared_back(raw, base, limit)",
        DELTAS,
    ),
    Mutant(
        "a chain of keys is never ended by a whole version",
        "saver/deltas.py",
        "if head.key_count < KEYS and",
        "if",
        DELTAS,
    ),
    Mutant(
        "keys rest on links, so that chains grow without bound",
        "saver/deltas.py",
        "base, head = key, Version(",
        "base, head = after, Version(",
        DELTAS,
    ),
    Mutant(
        "after a restart the chain of versions does not go on",
        "saver/values.py",
        "if head is None and not is_first:",
        "if head is None and is_first:",
        CHECKPOINTER,
    ),
    Mutant(
        "a checkpoint rests on a value that is not stored",
        "saver/values.py",
        "if not self._sql.has_version(",
        "if not version and not self._sql.has_version(",
        CHECKPOINTER,
    ),
    Mutant(
        "a missing version is guessed",
        "saver/values.py",
        "if not chain or chain[0].base is not None:",
        "if not chain:",
        CHECKPOINTER,
    ),
    Mutant(
        "a new thread takes the place of a deleted one in memory",
        "migrations/versions/0001_runs_and_checkpoints.py",
        "        sqlite_autoincrement=True,\n",
        "",
        CHECKPOINTER,
    ),
    Mutant(
        "the newest checkpoint is the one with the greatest id",
        "saver/sql.py",
        "order_by(cp.c.seq.desc())",
        "order_by(cp.c.checkpoint_id.desc())",
        CHECKPOINTER,
    ),
    # ---- writes answered early ----
    Mutant(
        "a lane that lost a write takes the next",
        "saver/lanes.py",
        "        if self._losses:\n            self._raise_if_lost(lane, reading=False)\n",
        "",
        LANES,
    ),
    Mutant(
        "a loss is forgotten before anybody was told",
        "saver/lanes.py",
        "if reading and loss.told:",
        "if reading:",
        LANES,
    ),
    Mutant(
        "an early write that failed is taken for told",
        "saver/checkpointer.py",
        "told=False)",
        "told=True)",
        CHECKPOINTER,
    ),
    Mutant(
        "a lane is not closed by a failure",
        "saver/changes.py",
        "            self._lanes.lose(lane, failure, told=told)\n",
        "",
        CHECKPOINTER,
    ),
    Mutant(
        "a reader without the lease opens the lane",
        "saver/lanes.py",
        "                if lane.fence is not None:\n    ",
        "",
        LANES,
    ),
    Mutant(
        "a new lease inherits the losses of the old",
        "saver/lanes.py",
        "                    del self._losses[lane.place]\n                return\n            if",
        "                    pass\n                return\n            if",
        LANES,
    ),
    Mutant(
        "a reader does not wait for what was answered early",
        "saver/checkpointer.py",
        "        self._lanes.answer_early(lambda: self._store.post(change, on_failure=undone))\n",
        "        self._store.post(change, on_failure=undone)\n",
        CHECKPOINTER,
    ),
    Mutant(
        "how a task ended is answered early",
        "saver/records.py",
        'not c.startswith("__") or c in _PLAIN_CHANNELS',
        "bool(c) or c in _PLAIN_CHANNELS",
        CHECKPOINTER,
    ),
    # ---- the writer ----
    Mutant(
        "a failed commit is acknowledged",
        "writer.py",
        "return [_Answer(request, None, failure) for request, failure in failures]",
        "return [_Answer(request, None, None) for request, _ in failures]",
        WRITER,
    ),
    Mutant(
        "a change that raised is not undone",
        "writer.py",
        'driver.execute("ROLLBACK TO SAVEPOINT change")\n',
        "pass\n",
        WRITER,
    ),
    Mutant(
        "nobody is told when a commit fails",
        "writer.py",
        "                request.tell(failure)\n            return",
        "                pass\n            return",
        WRITER,
    ),
    # ---- the reader ----
    Mutant(
        "a read that failed spoils the next",
        "reader.py",
        "self._kept.abandon()",
        "pass",
        WRITER,
    ),
    Mutant(
        "a read leaves its transaction open",
        "reader.py",
        "self._database.commit(connection)",
        "pass",
        WRITER,
    ),
    # ---- the database ----
    Mutant(
        "a commit does not wait for the disk",
        "sqlite.py",
        '"synchronous = FULL"',
        '"synchronous = NORMAL"',
        ("tests/integration/test_migrations.py",),
    ),
    Mutant(
        "a write transaction begins as a read",
        "sqlite.py",
        'driver.execute("BEGIN IMMEDIATE")',
        'driver.execute("BEGIN")',
        WRITER,
    ),
]


@pytest.fixture(scope="session")
def checkout_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this checkout's rooms and tests."""
    copy = tmp_path_factory.mktemp("mutant")
    (copy / "examples" / "refund_desk").mkdir(parents=True)
    for folder in (*ROOMS, "tests"):
        shutil.copytree(
            ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__", "mutants")
        )
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


def run_tests(copy: Path, tests: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run tests of the copy on SQLite, and stop at the first that fails."""
    options = ("-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "--timeout=20")
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-k", "not postgresql", *tests],
        cwd=copy,
        env={"PATH": "", "HOME": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=110,
        check=False,
    )


def test_the_tests_pass_where_nothing_is_broken(checkout_copy: Path) -> None:
    tests = sorted({test for mutant in MUTANTS for test in mutant.tests})
    done = run_tests(checkout_copy, tests)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: re.sub(r"\W+", "_", mutant.claim))
def test_a_test_fails_where(checkout_copy: Path, mutant: Mutant) -> None:
    path = checkout_copy / CHECKPOINTS / mutant.module
    whole = path.read_text()
    assert whole.count(mutant.old) == 1, f"`{mutant.old}` stands {whole.count(mutant.old)} times"
    broken = whole.replace(mutant.old, mutant.new)
    compile(broken, path, "exec")
    path.write_text(broken)
    try:
        done = run_tests(checkout_copy, mutant.tests)
    finally:
        path.write_text(whole)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
    assert "error" not in done.stdout.splitlines()[-1], done.stdout
