"""What the pages of the control room ask a store of many runs: `python -m bench.control_room`.

All queries of a page are timed together, as the page asks them.
"""

import os

os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"

import json
import random
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Connection

from bench import audit_events
from bench.spread import percentile
from penstock.checkpoints import Store, audit, budgets, gates, migrate, runs, spending
from penstock.checkpoints.audit import marks
from penstock.checkpoints.audit.queries import actions, page
from penstock.checkpoints.audit.verification import advance, begin, missing_triggers, torn_chains
from penstock.checkpoints.schema import budget_accounts, budget_uses, gate_approvals, run_tags
from penstock.checkpoints.schema import gates as gate_rows
from penstock.checkpoints.schema import runs as run_rows
from penstock.checkpoints.schema import steps as step_rows
from penstock.contracts.audit import EventFilter
from penstock.contracts.budget import (
    CALL_UNITS,
    AccountKind,
    Money,
    Unit,
    day_account,
    run_account,
)
from penstock.contracts.clock import SystemClock
from penstock.contracts.gate import GateKind, GateStatus
from penstock.contracts.ids import RunId, new_run_id
from penstock.contracts.inbox import GateFilter, RunFilter, Seat, Shelf, Viewer
from penstock.contracts.run import RunStatus
from penstock.contracts.spend import Measure, SpendFilter
from penstock.contracts.step import StepKind, StepStatus
from penstock.runs.audit import SLICE_ROWS

RUN_COUNT, OPEN_COUNT, CLOSED_COUNT = 100_000, 5_000, 20_000
ROUNDS = 10
TENANT = "default"


def main() -> None:
    """Measure, and print a table."""
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'penstock.db'}"
        migrate(url)
        with Store.open(url) as store:
            store.write_blocking(fill)
            now = SystemClock().now()
            store.write_blocking(lambda connection: audit_events.fill(connection, TENANT, now))
            for name, query in queries().items():
                took = [timed(store, query) for _ in range(ROUNDS)]
                print(f"{name:44} p50 {percentile(took, 50):8.1f} ms  max {max(took):8.1f} ms")


def fill(connection: Connection) -> None:
    """Write down runs, of which some wait at gates; by now, of the last month."""
    now = SystemClock().now()
    generator = random.Random(7)  # noqa: S311  (the same runs each time)
    written: list[dict[str, Any]] = []
    tagged: list[dict[str, Any]] = []
    accounts: list[dict[str, Any]] = []
    ends = [RunStatus.SUCCEEDED] * 90 + [RunStatus.FAILED] * 7 + [RunStatus.CANCELLED] * 3
    for number in range(RUN_COUNT):
        at = now - timedelta(seconds=(RUN_COUNT - number) * 26)
        waits = number >= RUN_COUNT - 2 * OPEN_COUNT and number % 2 == 0
        status = RunStatus.WAITING if waits else generator.choice(ends)
        run = _run(number, at, status)
        tags = [f"batch-{number % 50}", "nightly"] if number % 10 == 0 else []
        written.append({**run, "tags": json.dumps(tags)})
        tagged += [{"run_id": run["id"], "tenant": TENANT, "tag": tag} for tag in tags]
        accounts.append(_account(run, generator))
    connection.execute(run_rows.insert(), written)
    connection.execute(run_tags.insert(), tagged)
    connection.execute(budget_accounts.insert(), accounts)
    connection.execute(budget_uses.insert(), [_used(run, generator) for run in written])
    waiting = [run for run in written if run["status"] == RunStatus.WAITING]
    connection.execute(step_rows.insert(), [_step(run) for run in waiting])
    others = generator.sample([run for run in written if run["status"] != "waiting"], CLOSED_COUNT)
    asked = [_gate(run, now, is_open=True, generator=generator) for run in waiting]
    asked += [_gate(run, now, is_open=False, generator=generator) for run in others]
    connection.execute(gate_rows.insert(), asked)
    groups = ("finance", "security", "legal")
    connection.execute(
        gate_approvals.insert(),
        [
            {"gate_id": gate["id"], "group_name": generator.choice(groups), "approval_count": 1}
            for gate in asked
        ],
    )


def queries() -> dict[str, Callable[[Connection], object]]:
    """Return what the pages ask."""
    now = SystemClock().now()
    seat = Seat(person="fay", groups=frozenset({"finance"}))
    who = Viewer(person="fay", tenant=TENANT, seats=(seat,), is_operator=False, now=now)
    every, only = GateFilter(), GateFilter(kinds=(GateKind.APPROVAL,), graph="graph-3")

    def inbox(connection: Connection, shelf: Shelf, wanted: GateFilter) -> object:
        counts = gates.counts(connection, who, wanted)
        asking = gates.graphs_asking(connection, tenant=TENANT)
        return counts, asking, gates.shelf(connection, who, shelf, wanted, limit=20)

    def listed(connection: Connection, **more: Any) -> object:
        wanted = RunFilter(tenant=TENANT, **more)
        return (
            runs.counts(connection, wanted),
            runs.graphs(connection, tenant=TENANT),
            runs.page(connection, wanted, limit=51),
        )

    def stands(connection: Connection) -> object:
        return (
            runs.versions(connection, tenant=TENANT, graph="graph-3"),
            runs.waiting_nodes(connection, tenant=TENANT, graph="graph-3"),
        )

    def spend(connection: Connection, day_count: int, graph: str | None, unit: Unit) -> object:
        since = (now - timedelta(days=day_count - 1)).date()
        wanted = SpendFilter(tenant=TENANT, since=since, graph=graph)
        currency = "USD" if unit is Unit.MONEY else None
        return (
            spending.by_day(connection, wanted),
            spending.dearest(connection, wanted, Measure(unit=unit, currency=currency), limit=10),
            spending.capped(connection, wanted, limit=10),
            spending.reserved(connection, tenant=TENANT, limit=51),
            runs.graphs(connection, tenant=TENANT),
            budgets.statement(connection, day_account(TENANT, now.date().isoformat())),
        )

    def found(connection: Connection, **more: Any) -> object:
        wanted = EventFilter(tenant=TENANT, **more)
        return (
            audit.head(connection, TENANT),
            marks.watch(connection, TENANT),
            torn_chains(connection),
            missing_triggers(connection),
            actions(connection, TENANT),
            page(connection, wanted, limit=50),
        )

    def slice_(connection: Connection) -> object:
        return advance(connection, begin(TENANT), limit=SLICE_ROWS)

    week = now - timedelta(days=7)
    middle = now - timedelta(days=15)
    return {
        "the inbox, what needs me": lambda tx: inbox(tx, Shelf.MINE, every),
        "the inbox, what was decided": lambda tx: inbox(tx, Shelf.DECIDED, every),
        "the inbox of one kind and graph": lambda tx: inbox(tx, Shelf.MINE, only),
        "runs": listed,
        "runs that have failed": lambda tx: listed(tx, statuses=(RunStatus.FAILED,)),
        "runs of a graph of the last week": lambda tx: listed(tx, graph="graph-3", since=week),
        "runs that wait for a group": lambda tx: listed(tx, waits_for="legal"),
        "runs by key, none found": lambda tx: listed(tx, text="nothing"),
        "runs with a tag": lambda tx: listed(tx, tags=("nightly",)),
        "runs with two tags": lambda tx: listed(tx, tags=("nightly", "batch-10")),
        "runs that used 90,000 tokens": lambda tx: listed(tx, tokens=90_000),
        "runs that cost 0.10 USD": lambda tx: listed(
            tx, money=Money(micros=100_000, currency="USD")
        ),
        "runs that wait in a node": lambda tx: listed(tx, graph="graph-3", node="pay"),
        "a graph, its versions and where runs wait": stands,
        "10,000 runs looked over, to be cancelled": lambda tx: runs.list_seen(
            tx, RunFilter(tenant=TENANT, tags=("nightly",)), limit=10_001
        ),
        "spend of 7 days": lambda tx: spend(tx, 7, None, Unit.TOKENS),
        "spend of 90 days": lambda tx: spend(tx, 90, None, Unit.TOKENS),
        "spend of 90 days, of a graph, in dollars": lambda tx: spend(tx, 90, "graph-3", Unit.MONEY),
        "audit": found,
        "audit of a rare action": lambda tx: found(tx, action="budget.raised"),
        "audit of a person": lambda tx: found(tx, actor="user-7"),
        "audit of a rare tool, a page of the way": lambda tx: found(tx, tool="wire"),
        "audit of an action and a person": lambda tx: found(tx, action="run.queued", actor="olga"),
        "audit of a day two weeks ago": lambda tx: found(
            tx, since=middle, until=middle + timedelta(days=1)
        ),
        "audit of a run that there is not": lambda tx: found(tx, run_id=RunId("none")),
        f"verifying {SLICE_ROWS:,} events": slice_,
    }


def timed(store: Store, query: Callable[[Connection], object]) -> float:
    """Return how long a query takes, in milliseconds."""
    began = time.perf_counter()
    store.read_blocking(query)
    return (time.perf_counter() - began) * 1e3


def _run(number: int, at: datetime, status: RunStatus) -> dict[str, Any]:
    run_id = new_run_id(at)
    has_ended = status is not RunStatus.WAITING
    failed = status is RunStatus.FAILED
    return {
        "id": run_id,
        "tenant": TENANT,
        "key": f"ticket-{number}",
        "thread_id": run_id,
        "graph": f"graph-{number % 7}",
        "graph_version": "1",
        "fingerprint": "f" * 64,
        "input": json.dumps({"ticket": number, "text": "x" * 200}),
        "status": status,
        "epoch": 1,
        "lost_count": 0,
        "created_at": at,
        "changed_at": at + timedelta(seconds=5),
        "ended_at": at + timedelta(seconds=5) if has_ended else None,
        "failure_code": "node_failed" if failed else None,
        "failure_message": "node `pay` raised: the shop is closed" if failed else None,
        "failure_redrivable": 1 if failed else None,
        "principal": f"user-{number % 50}",
    }


def _account(run: dict[str, Any], generator: random.Random) -> dict[str, Any]:
    return {
        "id": run_account(run["id"]),
        "tenant": TENANT,
        "kind": AccountKind.RUN,
        **{f"{what}_{unit}": 0 for what in ("spent", "held") for unit in CALL_UNITS},
        "spent_tokens": generator.randint(1_000, 100_000),
        "spent_money": generator.randint(1_000, 500_000),
        "money_currency": "USD",
    }


def _step(run: dict[str, Any]) -> dict[str, Any]:
    return {
        "run_id": run["id"],
        "epoch": 1,
        "task_id": run["id"],
        "namespace": "",
        "node": "pay",
        "kind": StepKind.TOOL,
        "status": StepStatus.PARKED,
        "started_at": run["created_at"],
        "ended_at": run["changed_at"],
        "error": None,
    }


def _used(run: dict[str, Any], generator: random.Random) -> dict[str, Any]:
    return {
        "run_id": run["id"],
        "day": f"{run['changed_at']:%Y-%m-%d}",
        "money_currency": "USD",
        "tool_spend_currency": generator.choice(["", "EUR"]),
        "tenant": TENANT,
        "graph": run["graph"],
        "used_tokens": generator.randint(100, 100_000),
        "used_money": generator.randint(100, 1_000_000),
        "used_tool_spend": generator.randint(0, 50_000),
        "used_tool_calls": generator.randint(0, 20),
        "used_wall_ms": generator.randint(100, 60_000),
    }


def _gate(
    run: dict[str, Any], now: datetime, *, is_open: bool, generator: random.Random
) -> dict[str, Any]:
    question = {
        "may_it_happen": "pay",
        "does": "Give money back.",
        "tool_version": "1",
        "effect": "keyed",
        "arguments": {"order": run["key"], "cents": 48_900, "note": "x" * 100},
        "acts_for": run["principal"],
        "agent": run["graph"],
        "facts": {"saw_untrusted": True, "saw_private": False},
        "rules": ["above-limit"],
        "why": "`pay` needs approval: `above-limit` wants one approval by `finance`.",
        "edited_by": None,
    }
    closed = run["changed_at"] + timedelta(seconds=60)
    return {
        "id": f"{generator.getrandbits(128):032x}",
        "tenant": TENANT,
        "run_id": run["id"],
        "kind": GateKind.APPROVAL,
        "status": GateStatus.OPEN if is_open else GateStatus.DECIDED,
        "question": json.dumps(question),
        "answer": None if is_open else '{"decision": "approve", "reason": null}',
        "decided_by": None if is_open else "fay",
        "opened_at": run["changed_at"],
        "expires_at": now + timedelta(seconds=generator.randint(600, 90_000)),
        "closed_at": None if is_open else closed,
        "effect_key": f"{generator.getrandbits(256):064x}",
        "binding": f"{generator.getrandbits(256):064x}",
        "policy_digest": "d" * 64,
        "requester": run["principal"],
        "may_confirm_self": 0,
        "on_expiry": "deny",
    }


if __name__ == "__main__":
    main()
