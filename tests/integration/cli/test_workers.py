"""`penstock workers` and `drain`, with workers that are processes."""

import signal
import time
from collections.abc import Callable
from typing import Any

from support.command_line import CommandLine, ended, until_there

SOON_S = 60.0


def until(cli: CommandLine, is_so: Callable[[Any], bool]) -> Any:
    """Wait until the list of workers is as it should be, and return it."""
    ends = time.monotonic() + SOON_S
    while not is_so(found := cli.json("workers")):
        assert time.monotonic() < ends, found
        time.sleep(0.1)  # noqa: TID251  (other processes work)
    return found


def states(found: Any) -> dict[str, str]:
    return {each["id"]: each["state"] for each in found["workers"]}


def test_no_worker_is_a_sentence(cli: CommandLine) -> None:
    assert cli("workers").out.strip() == "no worker was heard of in the last day"
    refused = cli("drain", "nobody")
    assert refused.code == 3
    assert "unknown_worker" in refused.err


def test_worker_that_drains_ends_with_its_run_and_leaves_others_queued(cli: CommandLine) -> None:
    run = cli.start("slow")
    worker = cli.process("worker")
    until_there(cli.folder / "entered", worker, within_s=SOON_S)
    ((worker_id, _),) = states(until(cli, lambda found: len(found["workers"]) == 1)).items()
    asked = cli("drain", worker_id.rpartition("-")[2])
    assert asked.code == 0
    assert "takes nothing more" in asked.out
    assert states(cli.json("workers"))[worker_id] == "draining"
    # It hears so with its next beat, and takes what is queued until then.
    assert worker.stderr is not None
    assert any("to drain" in line for line in worker.stderr)
    later = cli.start("chain")
    found = cli.json("workers")
    assert found["nobody_takes"][0]["graph"] == "chain"
    assert found["workers"][0]["runs"] == [run]
    (cli.folder / "go_on").touch()
    assert ended(worker, within_s=SOON_S).code == 0
    assert (cli.status(run), cli.status(later)) == ("succeeded", "queued")
    assert states(cli.json("workers")) == {worker_id: "ended"}


def test_worker_that_is_killed_is_gone_when_its_lease_is_over(cli: CommandLine) -> None:
    run = cli.start("slow")
    quick = {"PENSTOCK_WORKER_LEASE_S": "3"}
    worker = cli.process("worker", **quick)
    until_there(cli.folder / "entered", worker, within_s=SOON_S)
    (worker_id,) = states(until(cli, lambda found: len(found["workers"]) == 1))
    worker.send_signal(signal.SIGKILL)
    worker.communicate()
    since = time.monotonic()
    until(cli, lambda found: states(found)[worker_id] == "gone")
    assert time.monotonic() - since < SOON_S / 2
    (cli.folder / "go_on").touch()
    other = cli.process("worker", **quick)
    ends = time.monotonic() + SOON_S
    while cli.status(run) != "succeeded":
        assert time.monotonic() < ends
        time.sleep(0.1)  # noqa: TID251  (another process works)
    other.terminate()
    other.communicate()
    assert cli.json("show", run)["run"]["epoch"] == 2


def test_worker_that_is_stopped_is_late_until_it_goes_on(cli: CommandLine) -> None:
    worker = cli.process("worker", PENSTOCK_WORKER_LEASE_S="600")
    try:
        (worker_id,) = states(until(cli, lambda found: len(found["workers"]) == 1))
        worker.send_signal(signal.SIGSTOP)
        until(cli, lambda found: states(found)[worker_id] == "late")
        worker.send_signal(signal.SIGCONT)
        until(cli, lambda found: states(found)[worker_id] == "alive")
    finally:
        worker.send_signal(signal.SIGCONT)
        worker.terminate()
        worker.communicate()
