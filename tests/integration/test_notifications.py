"""Telling people: over real channels, and beside a worker that goes on whatever they do."""

import asyncio
import base64
import logging
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import pytest
from langgraph.graph import END, START, StateGraph
from pydantic import SecretStr

from penstock.checkpoints import Checkpointer, Store
from penstock.checkpoints.gates import notices
from penstock.checkpoints.schema import notices as rows
from penstock.contracts.clock import SystemClock
from penstock.contracts.run import RunStatus
from penstock.graphs import Catalog, declare
from penstock.runs import Pace, Runtime, Worker
from penstock.runs.links import GateLinks
from penstock.runs.notifications import Channels, Letter, NotificationService, send
from support.approvals import open_approval, pass_time, reject
from support.listeners import Mailbox, Webhook
from support.runs import Runs
from support.services import serving

HIDDEN = "hunter2-is-shown-nowhere"
SOON_S = 2.0
"""How long a channel that hangs is waited for, here."""


class People(Channels):
    """The channels of groups, as written."""

    def __init__(self, **groups: Sequence[str]) -> None:
        self._groups = groups

    def channels(self, group: str) -> tuple[str, ...]:
        return tuple(self._groups.get(group, ()))


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What the two databases do differently is in the tests of the notices themselves."""
    return sqlite_url


def notifier(
    store: Store,
    people: Channels,
    *,
    links: GateLinks | None = None,
    secrets: Mapping[str, str] | None = None,
    limit_s: float = 15.0,
) -> NotificationService:
    source = (secrets or {}).get
    return NotificationService(
        store, people, SystemClock(), links=links, source=source, limit_s=limit_s
    )


def first(store: Store) -> Mapping[str, Any]:
    """Return the row of the notice that a gate is open."""
    statement = rows.select().order_by(rows.c.id)
    return store.read_blocking(lambda tx: dict(tx.execute(statement).mappings().all()[0]))


async def test_a_webhook_is_told_of_a_gate(store: Store, runs: Runs) -> None:
    gate = open_approval(store, runs.start("one"))
    async with Webhook().listen() as hook:
        assert await notifier(store, People(finance=[hook.url])).send_due() == 1
    (told,) = hook.got
    assert told["title"] == "To decide: pay_refund, 3 h 59 min left"
    assert f"Decide: penstock gates {gate.id}\n" in told["message"]
    assert '"order": "A-17"' in told["message"]
    assert first(store)["outcome"] == "sent; channels told: 1"


async def test_a_mail_is_sent(store: Store, runs: Runs) -> None:
    open_approval(store, runs.start("one"))
    async with Mailbox().listen() as mailbox:
        url = (
            f"mailto://127.0.0.1:{mailbox.port}?from=penstock@acme.example&to=finance@acme.example"
        )
        await notifier(store, People(finance=[url])).send_due()
    (mail,) = mailbox.got
    assert mailbox.to == [["finance@acme.example"]]
    assert mail["Subject"] == "To decide: pay_refund, 3 h 59 min left"
    assert '"order": "A-17"' in mail.get_content()
    assert first(store)["outcome"] == "sent; channels told: 1"


async def test_each_channel_is_given_a_link_of_its_own(store: Store, runs: Runs) -> None:
    gate = open_approval(store, runs.start("one"))
    links = GateLinks(SecretStr("s" * 32), ui_url="https://penstock.example")
    async with Webhook().listen() as hook, Webhook().listen() as other:
        people = People(finance=[hook.url, other.url])
        await notifier(store, people, links=links).send_due()
    (first_told,), (other_told,) = hook.got, other.got
    tokens = [
        told["message"].split("/?link=")[1].split(" ")[0] for told in (first_told, other_told)
    ]
    assert tokens[0] != tokens[1]
    for token, person in zip(tokens, ("eve", "mallory"), strict=True):
        led = store.write_blocking(
            lambda tx, token=token, person=person: links.follow(tx, token, person=person)
        )
        assert led == gate.id


async def test_who_was_told_is_not_told_again_because_others_were_not(
    store: Store, runs: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    open_approval(store, runs.start("one"))
    async with (
        Webhook().listen() as good,
        Webhook().listen() as broken,
        Webhook().listen() as silent,
    ):
        broken.status, silent.is_silent = 500, True
        people = People(finance=[good.url, broken.url, f"{silent.url}?rto=60"])
        await notifier(store, people, limit_s=SOON_S).send_due()
        assert first(store)["closed_at"] is None
        assert "channel 2 of group `finance` (json) could not be told" in caplog.text
        assert "it answered with status 500" in caplog.text
        assert "channel 3 of group `finance` (json)" in caplog.text
        broken.status, silent.is_silent = 200, False
        pass_time(store, notices.FIRST_WAIT_S)
        await notifier(store, people).send_due()
        assert [len(hook.got) for hook in (good, broken, silent)] == [1, 2, 2]
    assert first(store)["outcome"] == "sent; channels told: 3"


async def test_what_does_not_work_is_given_up_with_its_reason_and_said_once(
    store: Store, runs: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    open_approval(store, runs.start("one"), expires_s=24 * 3600)
    people = People(finance=[f"nonsense-{HIDDEN}"])
    teller = notifier(store, people)
    for _ in range(notices.ATTEMPT_LIMIT):
        assert await teller.send_due() == 1
        pass_time(store, 2 * 3600)
    assert first(store)["outcome"] == (
        "given up: channel 1 of group `finance` (?): it is no URL that Apprise knows"
    )
    assert caplog.text.count("no URL that Apprise knows") == 1
    assert HIDDEN not in caplog.text


async def test_a_group_without_a_channel_is_not_tried_again(store: Store, runs: Runs) -> None:
    open_approval(store, runs.start("one"))
    assert await notifier(store, People()).send_due() == 1
    assert first(store)["outcome"] == "group `finance` has no channel"
    assert await notifier(store, People()).send_due() == 0


async def test_a_variable_stands_for_a_secret_that_nobody_is_shown(
    store: Store, runs: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    open_approval(store, runs.start("one"))
    async with Webhook().listen() as hook:
        hook.status = 500
        url = hook.url.replace("json://", "json://ada:${HOOK_PASSWORD}@")
        teller = notifier(store, People(finance=[url]), secrets={"HOOK_PASSWORD": HIDDEN})
        await teller.send_due()
        assert base64.b64encode(f"ada:{HIDDEN}".encode()).decode() in hook.heads[0]
    pass_time(store, notices.FIRST_WAIT_S)
    await teller.send_due()
    assert HIDDEN not in caplog.text
    assert HIDDEN not in str(first(store))
    assert HIDDEN not in repr(Letter(url=HIDDEN, title="", body=""))


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("json://${HOOK_HOST}/", "the worker has no `HOOK_HOST` in its environment; set it there"),
        ("${HOOK_URL}", "the worker has no `HOOK_URL` in its environment; set it there"),
        ("json://${hook-host}/", "a `${` in it names no variable; write `${NAME}`"),
        ("json://${HOOK_HOST/", "a `${` in it names no variable; write `${NAME}`"),
    ],
)
async def test_a_channel_whose_secret_is_missing_is_named_and_tried_again(
    store: Store, runs: Runs, caplog: pytest.LogCaptureFixture, written: str, why: str
) -> None:
    open_approval(store, runs.start("one"))
    async with Webhook().listen() as hook:
        teller = notifier(store, People(finance=[hook.url, written]))
        await teller.send_due()
        assert (
            f"channel 2 of group `finance` ({'json' if 'json' in written else '?'})" in caplog.text
        )
        assert why in caplog.text
        assert len(hook.got) == 1
    assert first(store)["closed_at"] is None


async def test_of_a_gate_that_was_closed_nobody_is_told(store: Store, runs: Runs) -> None:
    reject(store, open_approval(store, runs.start("one")))
    async with Webhook().listen() as hook:
        assert await notifier(store, People(finance=[hook.url])).send_due() == 0
    assert hook.got == []


async def test_a_worker_that_dies_between_sending_and_saying_so_loses_nothing(
    store: Store, runs: Runs
) -> None:
    open_approval(store, runs.start("one"))
    async with Webhook().listen() as hook:
        hook.is_silent = True
        people = People(finance=[f"{hook.url}?rto=60"])
        dying = asyncio.create_task(notifier(store, people).send_due())
        async with asyncio.timeout(60):
            await hook.entered.wait()
        dying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dying
        hook.is_silent = False
        assert await notifier(store, people).send_due() == 0
        pass_time(store, notices.TAKEN_S)
        assert await notifier(store, people).send_due() == 1
        assert len(hook.got) == 2
    assert first(store)["outcome"] == "sent; channels told: 1"


async def test_of_two_workers_one_tells(database_url: str, store: Store, runs: Runs) -> None:
    open_approval(store, runs.start("one"))
    with Store.open(database_url) as other:
        async with Webhook().listen() as hook:
            people = People(finance=[hook.url])
            tellers = [notifier(one, people) for one in (store, other)]
            taken = await asyncio.gather(*(teller.send_due() for teller in tellers))
        assert sorted(taken) == [0, 1]
        assert len(hook.got) == 1


async def test_the_process_that_sends_has_ended_when_it_is_cancelled() -> None:
    async with Webhook().listen() as hook:
        hook.is_silent = True

        async def sending() -> None:
            letter = Letter(url=f"{hook.url}?rto=60", title="", body="hello")
            async for _ in send([letter]):
                pass

        task = asyncio.create_task(sending())
        async with asyncio.timeout(60):
            await hook.entered.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await hook.left.wait()


async def test_a_directory_that_breaks_is_said_and_ends_nothing(
    store: Store, runs: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    open_approval(store, runs.start("one"))
    asked = asyncio.Event()

    class Broken(Channels):
        def channels(self, group: str) -> tuple[str, ...]:
            asked.set()
            raise KeyError(group)

    async with asyncio.timeout(60), serving(notifier(store, Broken())):
        await asked.wait()
    assert "notifications failed, and will be tried again" in caplog.text


async def test_a_machine_that_starts_no_process_loses_no_notice(
    store: Store, runs: Runs, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_approval(store, runs.start("one"))
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert await notifier(store, People(finance=["json://127.0.0.1:9"])).send_due() == 1
    assert "the process that sends notices cannot be started" in caplog.text
    pass_time(store, notices.FIRST_WAIT_S)
    assert store.read_blocking(notices.any_due)


class Work(TypedDict, total=False):
    count: int


def quick() -> Any:
    graph: Any = StateGraph(Work)
    graph.add_node("count", lambda _: {"count": 1})
    graph.add_edge(START, "count")
    graph.add_edge("count", END)
    return graph


async def test_a_channel_that_hangs_keeps_no_run_and_no_drain_waiting(
    store: Store, saver: Checkpointer, runs: Runs
) -> None:
    open_approval(store, runs.start("one"))
    catalog = Catalog.of(declare(quick(), name="quick"))
    runtime = Runtime(store, saver, catalog)
    async with Webhook().listen() as hook:
        hook.is_silent = True
        worker = Worker(
            store,
            saver,
            catalog,
            pace=Pace(beat_s=0.05, poll_s=0.02),
            services=[notifier(store, People(finance=[f"{hook.url}?rto=60"]))],
        )
        working = asyncio.create_task(worker.work())
        async with asyncio.timeout(60):
            await hook.entered.wait()
        run = await runtime.start("quick", {}, actor="test")
        async with asyncio.timeout(60):
            while (await runtime.get(run.id)).status is not RunStatus.SUCCEEDED:  # noqa: ASYNC110  (the store tells)
                await asyncio.sleep(0.02)
        worker.drain()
        async with asyncio.timeout(60):
            await working
    assert first(store)["closed_at"] is None


async def test_a_worker_tells_people_of_gates(
    store: Store, saver: Checkpointer, runs: Runs
) -> None:
    open_approval(store, runs.start("one"))
    async with Webhook().listen() as hook:
        people = People(finance=[hook.url])
        pace = Pace(beat_s=0.05, poll_s=0.02)
        catalog = Catalog.of(declare(quick(), name="quick"))
        worker = Worker(store, saver, catalog, pace=pace, services=[notifier(store, people)])
        working = asyncio.create_task(worker.work())
        async with asyncio.timeout(60):
            while first(store)["closed_at"] is None:  # noqa: ASYNC110  (the store tells)
                await asyncio.sleep(0.05)
        worker.drain()
        await working
    assert first(store)["outcome"] == "sent; channels told: 1"
