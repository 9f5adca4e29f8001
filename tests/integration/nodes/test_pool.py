"""A tool in a process of its own: what it is given, how it ends, and that nothing is left of it."""

import asyncio
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.contracts.errors import InvalidResult, Permanent, RefusedByService, Retryable
from penstock.contracts.tool import IsolationTier
from penstock.nodes.isolation import (
    Died,
    Limits,
    NotStarted,
    Pool,
    PoolClosed,
    Raised,
    TimedOut,
    Unfit,
    available_tiers,
)
from support import isolated
from support.checkout import import_path
from support.pools import (
    TOOLS,
    Note,
    Watched,
    ask,
    child_count,
    descriptor_count,
    job,
    names_in,
)

pytestmark = pytest.mark.skipif(
    available_tiers()[IsolationTier.SUBPROCESS] is not None,
    reason=f"no subprocess tier: {available_tiers()[IsolationTier.SUBPROCESS]}",
)

CANARY = "canary/7 \"é\n'"


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    """A warm pool, which each test uses from an event loop of its own."""
    made = Pool(preload=[f"{TOOLS}:add", f"{TOOLS}:pay"])
    assert asyncio.run(_started(made)) == {}
    yield made
    asyncio.run(made.close())


async def _started(pool: Pool) -> dict[str, str]:
    return dict(await pool.start())


@pytest.fixture
def note(tmp_path: Path) -> Iterator[Note]:
    """A pipe that tools write to."""
    made = Note(tmp_path)
    yield made
    made.close()


async def test_a_result_comes_back_with_its_type(pool: Pool) -> None:
    assert await pool.run(job("add", a=1, b=2)) == "3"
    text = await pool.run(job("pay", cents=150))
    receipt = isolated.pay.results.load(text)
    assert receipt == isolated.Receipt(id="k1/1", amount=receipt.amount, parts=(1, 2))
    assert str(receipt.amount) == "1.5"


async def test_the_id_of_the_call_is_given_to_a_tool_that_asks(pool: Pool) -> None:
    assert await ask(pool, "call_id", call_id="c1") == "c1"


async def test_a_tool_under_another_name_than_its_function_is_found(pool: Pool) -> None:
    assert await ask(pool, "bare", n=4) == 4


async def test_each_job_has_a_process_of_its_own(pool: Pool) -> None:
    told = [await ask(pool, "process", about="it") for _ in range(4)]
    assert len({each["id"] for each in told}) == 4
    assert {each["parent"] for each in told}.isdisjoint({os.getpid()})


async def test_processes_draw_other_random_numbers(pool: Pool) -> None:
    made = [await ask(pool, "random_id") for _ in range(4)]
    assert len({each[-12:] for each in made}) == 4


async def test_a_typed_error_keeps_what_it_says(pool: Pool) -> None:
    with pytest.raises(Retryable, match=r"^try later$") as retryable:
        await pool.run(job("fail", how="retryable"))
    assert retryable.value.after_s == 2.5
    with pytest.raises(Permanent, match=r"^never$"):
        await pool.run(job("fail", how="permanent"))
    with pytest.raises(RefusedByService, match=r"^not so$"):
        await pool.run(job("fail", how="refused"))


async def test_a_typed_error_keeps_a_code_of_its_own(pool: Pool) -> None:
    with pytest.raises(RefusedByService) as refused:
        await pool.run(job("fail", how="declined"))
    assert refused.value.code == "card_declined"


@pytest.mark.parametrize(
    ("how", "type_name", "message"),
    [
        ("value", "ValueError", "value"),
        ("odd", "Odd", "(its text cannot be had)"),
        ("exit", "SystemExit", "3"),
    ],
)
async def test_any_other_error_is_told_with_its_traceback_apart(
    pool: Pool, how: str, type_name: str, message: str
) -> None:
    with pytest.raises(Raised) as raised:
        await pool.run(job("fail", how=how))
    assert (raised.value.type_name, raised.value.message) == (type_name, message)
    assert "in fail" in raised.value.traceback
    assert "in fail" not in str(raised.value)


async def test_a_result_that_breaks_its_contract_is_told_as_such(pool: Pool) -> None:
    with pytest.raises(InvalidResult, match="Return what its annotation says"):
        await pool.run(job("lie", text="a"))


@pytest.mark.parametrize(
    ("name", "arguments", "why"),
    [
        ("missing", {}, "missing"),
        ("hang", {}, "is no tool"),
        ("add", {"a": 1}, "do not fit"),
        ("leak", {"where": "result"}, "`CANARY`"),
    ],
)
async def test_what_cannot_be_called_was_not_started(
    pool: Pool, name: str, arguments: dict[str, Any], why: str
) -> None:
    with pytest.raises(Unfit, match=why):
        await pool.run(job(name, **arguments))


async def test_a_module_that_cannot_be_imported_was_not_started(pool: Pool) -> None:
    with pytest.raises(NotStarted, match="ModuleNotFoundError"):
        await pool.run(job("it", module="support.nowhere"))


async def test_a_job_without_time_was_not_started(pool: Pool) -> None:
    with pytest.raises(NotStarted, match="deadline"):
        await pool.run(job("add", a=1, b=2, remaining_s=0.0))


@pytest.mark.parametrize("name", ["spin", "block"])
async def test_what_never_gives_way_is_killed_at_its_deadline(
    pool: Pool, note: Note, name: str
) -> None:
    began_s = time.monotonic()
    running = asyncio.create_task(pool.run(job(name, note=note.path, remaining_s=3)))
    watched = Watched([await note.read()])
    with pytest.raises(TimedOut):
        await running
    assert watched.have_ended()
    assert time.monotonic() - began_s > 2.9


async def test_what_a_tool_started_dies_with_it(pool: Pool, note: Note) -> None:
    running = asyncio.create_task(pool.run(job("breed", note=note.path, stays=True, remaining_s=5)))
    process_ids = await note.read()
    watched = Watched(process_ids)
    assert len({os.getsid(each) for each in process_ids}) == 2
    with pytest.raises(TimedOut):
        await running
    assert watched.have_ended()


async def test_what_a_tool_leaves_behind_dies_when_it_has_returned(pool: Pool, note: Note) -> None:
    running = asyncio.create_task(pool.run(job("breed", note=note.path, stays=False)))
    watched = Watched((await note.read())[1:])
    await running
    assert watched.have_ended(within_s=60)


async def test_what_a_running_tool_has_left_to_itself_is_not_killed_for_another_call(
    pool: Pool, note: Note
) -> None:
    running = asyncio.create_task(pool.run(job("breed", note=note.path, stays=True)))
    process_ids = await note.read()
    with pytest.raises(Died):
        await pool.run(job("die", signal_number=0))
    assert not Watched(process_ids[2:]).have_ended()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_the_deadline_is_kept_while_the_event_loop_stands_still(
    pool: Pool, note: Note
) -> None:
    running = asyncio.create_task(pool.run(job("block", note=note.path, remaining_s=3)))
    watched = Watched([await note.read()])
    # Blocks the loop: only the process that forks them can keep the deadline.
    assert watched.have_ended(within_s=60)
    with pytest.raises(TimedOut):
        await running


async def test_a_cancelled_call_is_dead_before_its_caller_knows(pool: Pool, note: Note) -> None:
    running = asyncio.create_task(pool.run(job("breed", note=note.path, stays=True)))
    watched = Watched(await note.read())
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert watched.have_ended()


@pytest.mark.parametrize(
    ("number", "exit_code", "killed_by"),
    [(0, 7, None), (signal.SIGSEGV, None, signal.SIGSEGV), (signal.SIGKILL, None, signal.SIGKILL)],
)
async def test_a_death_is_told_with_its_cause_and_its_last_words(
    pool: Pool, number: int, exit_code: int | None, killed_by: int | None
) -> None:
    with pytest.raises(Died) as died:
        await pool.run(job("die", signal_number=int(number)))
    assert (died.value.exit_code, died.value.signal) == (exit_code, killed_by)
    assert died.value.output == "last words"


async def test_a_call_in_flight_outlives_the_signals_of_a_service_that_stops(
    pool: Pool, note: Note
) -> None:
    running = asyncio.create_task(pool.run(job("spin", note=note.path, remaining_s=1.0)))
    process_id = await note.read()
    os.kill(process_id, signal.SIGTERM)
    with pytest.raises(TimedOut):
        await running


@pytest.mark.parametrize(
    "how", ["nonsense", "short", "long", "no JSON", "not asked", "other", "closed"]
)
async def test_a_wrong_answer_is_a_death_and_no_success(pool: Pool, how: str) -> None:
    with pytest.raises(Died):
        await pool.run(job("meddle", how=how))


async def test_a_tool_that_forks_answers_once(pool: Pool) -> None:
    assert await ask(pool, "fork") == "once"


async def test_noise_does_not_touch_the_answer(pool: Pool) -> None:
    assert await ask(pool, "shout", mebibytes=2) == "heard"


async def test_calls_run_at_the_same_time(pool: Pool, tmp_path: Path) -> None:
    found = await asyncio.gather(
        *(ask(pool, "meet", folder=str(tmp_path), count=8) for _ in range(8))
    )
    assert found == [8] * 8


async def test_a_process_is_confined(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PENSTOCK_DATABASE_URL", CANARY)
    monkeypatch.setenv("LC_TIME", "C")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with (tmp_path / "database").open("w") as database:
        os.set_inheritable(database.fileno(), True)  # noqa: FBT003  (os's own)
        async with Pool(limits=Limits(open_file_count=64, memory_bytes=1 << 31)) as pool:
            told = await ask(pool, "process", about="it", remaining_s=30)
    allowed = {"PATH", "LANG", "LANGUAGE", "TZ", "HOME", "TMPDIR", "LANGGRAPH_STRICT_MSGPACK"}
    names = {name for name in told["environment"] if not name.startswith("LC_")}
    assert names <= allowed
    assert told["environment"]["LC_TIME"] == "C"
    assert told["id"] == told["session"] == told["group"]
    assert told["folder"] == told["temporary"] == told["environment"]["HOME"]
    assert Path(told["folder"]).parts[-3:-2] == (tmp_path.name,)
    assert names_in(tmp_path) == ["database"]
    assert told["input"] == ""
    assert told["no_new_privileges"] == 1
    kinds = sorted(each.partition(":")[0] for each in told["descriptors"])
    assert kinds == ["/dev/null", "pipe", "pipe", "socket"]
    limits = told["limits"]
    assert (limits["CORE"], limits["NOFILE"], limits["AS"]) == (0, 64, 1 << 31)
    assert 31 <= limits["CPU"] <= 33


async def test_limits_are_kept() -> None:
    limits = Limits(memory_bytes=768 << 20, file_bytes=1 << 20, message_bytes=4096)
    async with Pool(preload=[TOOLS], limits=limits) as pool:
        assert await ask(pool, "hoard", mebibytes=1) == 1 << 20
        with pytest.raises(Raised, match="MemoryError"):
            await pool.run(job("hoard", mebibytes=1024))
        with pytest.raises(Raised, match="OSError"):
            await pool.run(job("fill", mebibytes=2))
        with pytest.raises(InvalidResult, match="of 4096 allowed"):
            await pool.run(job("large", count=5000))
        with pytest.raises(NotStarted, match="of 4096 allowed"):
            await pool.run(job("fail", how="x" * 5000))


@pytest.mark.parametrize(
    "where", ["message", "typed", "repr", "long", "type", "log", "output", "part"]
)
async def test_no_secret_comes_back_in_an_error(
    pool: Pool, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    asked = job("leak", where=where, secrets={"CANARY": CANARY})
    with pytest.raises((Died, Raised, Permanent)) as raised:
        await pool.run(asked)
    error = raised.value
    told = [str(error), repr(error), repr(asked), caplog.text]
    told += [str(getattr(error, name, "")) for name in ("output", "traceback", "type_name")]
    assert "canary" not in "\n".join(told)
    assert "‹secret›" in "\n".join(told)  # noqa: RUF001  (as it is)


async def test_no_secret_comes_back_in_a_result(pool: Pool) -> None:
    told = await ask(pool, "leak", where="result", secrets={"CANARY": CANARY})
    assert told == "the token is ‹secret›"  # noqa: RUF001  (as it is)


async def test_a_process_has_only_the_secrets_that_its_contract_names(pool: Pool) -> None:
    secrets = {"CANARY": CANARY, "OTHER": "other"}
    assert await ask(pool, "leak", where="environment", secrets=secrets) == "CANARY"


async def test_no_secret_stays_in_what_forks_the_processes(pool: Pool) -> None:
    await ask(pool, "leak", where="environment", secrets={"CANARY": "canary-8"})
    zygote = Path(f"/proc/{(await ask(pool, 'process', about='it'))['parent']}")
    maps = (zygote / "maps").read_text().splitlines()
    (heap,) = [each.split()[0] for each in maps if each.endswith("[heap]")]
    begin, _, end = heap.partition("-")
    with (zygote / "mem").open("rb") as memory:
        memory.seek(int(begin, 16))
        assert b"canary-8" not in memory.read(int(end, 16) - int(begin, 16))
    for name in ("environ", "cmdline"):
        assert b"canary-8" not in (zygote / name).read_bytes()


async def test_the_death_of_what_forks_them_is_told_and_mended(note: Note) -> None:
    async with Pool(preload=[TOOLS]) as pool:
        zygote = (await ask(pool, "process", about="it"))["parent"]
        running = asyncio.create_task(pool.run(job("breed", note=note.path, stays=True)))
        process_ids = await note.read()
        watched = Watched(process_ids[:2])
        os.kill(zygote, signal.SIGKILL)
        with pytest.raises(Died):
            await running
        # What moved to another session is beyond reach without the one that would have adopted it.
        os.kill(process_ids[2], signal.SIGKILL)
        assert watched.have_ended(within_s=60)
        assert await ask(pool, "add", a=1, b=2) == 3


async def test_a_module_that_starts_threads_is_not_imported_ahead() -> None:
    module = "support.starts_threads"
    pool = Pool(preload=[f"{module}:threads", "support.nowhere:it", TOOLS])
    try:
        left_out = await pool.start()
        assert left_out == {
            module: "its import starts threads",
            "support.nowhere": "its import failed with `ModuleNotFoundError`",
        }
        assert await ask(pool, "threads", module=module) == 2
    finally:
        await pool.close()


async def test_a_closed_pool_starts_nothing_and_ends_what_runs(note: Note) -> None:
    pool = Pool(preload=[TOOLS])
    await pool.start()
    running = asyncio.create_task(pool.run(job("breed", note=note.path, stays=True)))
    watched = Watched(await note.read())
    await pool.close()
    await pool.close()
    assert watched.have_ended()
    with pytest.raises(Died):
        await running
    with pytest.raises(PoolClosed):
        await pool.run(job("add", a=1, b=2))


async def test_a_pool_can_be_closed_before_it_is_ready() -> None:
    before = child_count()
    pool = Pool(preload=[TOOLS])
    starting = asyncio.create_task(_started(pool))
    await asyncio.sleep(0)
    await pool.close()
    with pytest.raises(NotStarted):
        await starting
    assert child_count() == before


async def test_nothing_is_left_after_many_calls() -> None:
    before = descriptor_count()
    children = child_count()
    async with Pool(preload=[TOOLS]) as pool:
        await asyncio.gather(*(ask(pool, "add", a=1, b=each) for each in range(8)))
        open_ = descriptor_count()
        for each in range(200):
            await ask(pool, "add", a=1, b=each)
        assert descriptor_count() <= open_
        # All that the worker itself has started is the one process that forks.
        assert child_count() == children + 1
    assert descriptor_count() == before
    assert child_count() == children


WORKER = """
import asyncio, sys
from penstock.nodes.isolation import Pool
from support.pools import TOOLS, job

async def main():
    async with Pool(preload=[TOOLS]) as pool:
        await pool.run(job("breed", note=sys.argv[1], stays=True, remaining_s=60))

asyncio.run(main())
"""


def start_worker(note: Note, temporary: Path) -> "subprocess.Popen[bytes]":
    """Start a worker whose one call breeds."""
    temporary.mkdir()
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, note.path],
        env={**os.environ, "PYTHONPATH": import_path(), "TMPDIR": str(temporary)},
        start_new_session=True,
    )


def parent_of(process_id: int) -> int:
    """Return the id of a process's parent."""
    stat = Path(f"/proc/{process_id}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[1])


def test_a_tool_dies_even_when_both_who_would_kill_it_are_killed(
    note: Note, tmp_path: Path
) -> None:
    worker = start_worker(note, tmp_path / "temporary")
    left: list[int] = []
    try:
        first, *left = note.read_blocking()
        watched = Watched([first])
        worker.send_signal(signal.SIGSTOP)
        os.kill(parent_of(first), signal.SIGKILL)
        assert watched.have_ended(within_s=60)
    finally:
        worker.kill()
        worker.wait(10)
        for each in left:
            os.kill(each, signal.SIGKILL)


@pytest.mark.parametrize("is_group", [False, True])
def test_no_tool_outlives_its_worker(note: Note, tmp_path: Path, *, is_group: bool) -> None:
    temporary = tmp_path / "temporary"
    worker = start_worker(note, temporary)
    try:
        process_ids = note.read_blocking()
        watched = Watched([*process_ids, parent_of(process_ids[0])])
    finally:
        if is_group:
            os.killpg(worker.pid, signal.SIGKILL)
        else:
            worker.kill()
        worker.wait(10)
    assert watched.have_ended(within_s=60)
    assert names_in(temporary) == []


async def test_without_descriptors_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> tuple[int, int]:
        raise OSError(errno.EMFILE, "Too many open files")

    before = descriptor_count()
    cold = Pool(preload=[TOOLS], idle_count=0)
    try:
        await cold.start()
        opened = descriptor_count()
        monkeypatch.setattr(os, "pipe", refuse)
        with pytest.raises(NotStarted, match="Too many open files"):
            await cold.run(job("add", a=1, b=2))
        assert descriptor_count() == opened
    finally:
        monkeypatch.undo()
        await cold.close()
    assert descriptor_count() == before


async def test_a_pool_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    before = descriptor_count()
    pool = Pool()
    with pytest.raises(NotStarted, match="No such file"):
        await pool.start()
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(NotStarted, match=r"ended \(1\)"):
        await pool.run(job("add", a=1, b=2))
    await pool.close()
    assert descriptor_count() == before
