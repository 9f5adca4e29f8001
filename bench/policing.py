"""What the pages of tools and policies ask of many decisions: `python -m bench.policing`.

All queries of a page are timed together, as the page asks them; then what it works out beside them.
"""

import os

os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic_core import to_json
from sqlalchemy import Connection

from bench.spread import percentile
from penstock.checkpoints import Store, decisions, ledger, migrate, policies
from penstock.checkpoints.schema import decisions as decision_rows
from penstock.checkpoints.schema import effects as effect_rows
from penstock.checkpoints.schema import runs as run_rows
from penstock.contracts.clock import SystemClock
from penstock.contracts.effect import EffectStatus
from penstock.contracts.ids import new_run_id
from penstock.contracts.policy import (
    Decision,
    GateRule,
    PolicyFile,
    PolicySetName,
    PolicySource,
    Principal,
    Request,
    Verdict,
)
from penstock.contracts.run import RunStatus
from penstock.contracts.tool import ToolContract
from penstock.policies import compile_policy, make_source, read_rules, read_sheet, write_sheet
from penstock.policies.cedar_schema import read_tool
from penstock.policies.compiled import compile_uncached
from penstock.runs.policies import redecide

DECISION_COUNT, CALLS_A_RUN, TOOL_COUNT, RULE_COUNT = 100_000, 4, 10, 500
TRIED_COUNT = 2_000
ROUNDS = 10
TENANT, GRAPH = "default", "desk"


def main() -> None:
    """Measure, and print a table."""
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'penstock.db'}"
        migrate(url)
        with Store.open(url) as store:
            store.write_blocking(fill)
            for name, query in queries().items():
                took = [
                    timed(lambda query=query: store.read_blocking(query)) for _ in range(ROUNDS)
                ]
                tell(name, took)
            for name, work in works(store).items():
                tell(name, [timed(work) for _ in range(3)])


def fill(connection: Connection) -> None:
    """Write down calls of the last six days, and a policy of many rules."""
    now, generator = SystemClock().now(), random.Random(7)  # noqa: S311  (the same each time)
    policies.load(connection, GRAPH, source(), at=now, by="alma")
    written: list[dict[str, Any]] = []
    decided: list[dict[str, Any]] = []
    called: list[dict[str, Any]] = []
    for number in range(DECISION_COUNT):
        at = now - timedelta(seconds=(DECISION_COUNT - number) * 5)
        if number % CALLS_A_RUN == 0:
            written.append(_run(at))
        run_id, key = written[-1]["id"], f"{generator.getrandbits(256):064x}"
        decided.append(_decision(number, run_id, key, at, generator))
        called.append(_effect(number, run_id, key, at, generator))
    connection.execute(run_rows.insert(), written)
    connection.execute(decision_rows.insert(), decided)
    connection.execute(effect_rows.insert(), called)


def queries() -> Mapping[str, Callable[[Connection], object]]:
    """Return what the pages ask."""
    week = SystemClock().now() - timedelta(days=7)

    def page(connection: Connection) -> Sequence[Any]:
        policies.versions(connection, GRAPH)
        policies.activations(connection, GRAPH, limit=50)
        return decisions.tallies(connection, GRAPH, tenant=TENANT, since=week)

    def rule(connection: Connection, name: str) -> object:
        found = [each for each in page(connection) if name in each.decision.reasons]
        return decisions.of_tallies(connection, GRAPH, found, tenant=TENANT, since=week, limit=20)

    def tool(connection: Connection, graph: str | None) -> object:
        return (
            ledger.used_tools(connection, tenant=TENANT),
            ledger.outcomes_of_tool(connection, "tool-3", tenant=TENANT, graph=graph, since=week),
            ledger.calls_of_tool(connection, "tool-3", tenant=TENANT, graph=graph, limit=10),
            ledger.doubts_of_tool(connection, "tool-3", tenant=TENANT, graph=graph, limit=10),
        )

    return {
        "policies": page,
        "a rule that decided often": lambda tx: rule(tx, "rule-1"),
        "a rule that never decided": lambda tx: rule(tx, "rule-499"),
        "tools": lambda tx: ledger.used_tools(tx, tenant=TENANT),
        "a tool, in its graph": lambda tx: tool(tx, GRAPH),
        f"the newest {TRIED_COUNT:,} calls for a candidate": lambda tx: decisions.last_of_calls(
            tx, GRAPH, tenant=TENANT, since=week, limit=TRIED_COUNT
        ),
    }


def works(store: Store) -> Mapping[str, Callable[[], object]]:
    """Return what the pages work out."""
    text = write_sheet(source())
    policy = compile_policy(source(), contracts(), roles=None, groups=None)
    recorded = store.read_blocking(
        lambda tx: decisions.last_of_calls(tx, GRAPH, tenant=TENANT, since=None, limit=TRIED_COUNT)
    )
    return {
        f"read {RULE_COUNT} rules of a sheet": lambda: read_rules.__wrapped__(read_sheet(text)),
        f"check {RULE_COUNT} rules": lambda: compile_uncached(
            source(), [read_tool(contract) for contract in contracts()], roles=None, groups=None
        ),
        f"decide {TRIED_COUNT:,} calls anew": lambda: redecide(recorded, policy),
    }


def contracts() -> Sequence[ToolContract]:
    """Return those of the tools."""
    schema = {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]}
    return [
        ToolContract(
            name=f"tool-{number}",
            version="1",
            description="",
            arguments_schema=schema,
            result_schema={},
        )
        for number in range(TOOL_COUNT)
    ]


def source() -> PolicySource:
    """Return a policy of many rules."""
    lines = [
        f'@id("rule-{number}") @doc("Number {number}.")\n'
        f'permit (principal, action == Penstock::Action::"tool-{number % TOOL_COUNT}", resource)\n'
        f'when {{ context.args.order != "A-{number}" }};\n'
        for number in range(RULE_COUNT)
    ]
    file = PolicyFile(set=PolicySetName.ALLOW, name="all.cedar", text="\n".join(lines))
    return make_source([file])


def timed(work: Callable[[], object]) -> float:
    """Return how long something takes, in milliseconds."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1e3


def tell(name: str, took: Sequence[float]) -> None:
    """Print a line."""
    print(f"{name:44} p50 {percentile(took, 50):8.1f} ms  max {max(took):8.1f} ms")


def _run(at: datetime) -> dict[str, Any]:
    run_id = new_run_id(at)
    return {
        "id": run_id,
        "tenant": TENANT,
        "thread_id": run_id,
        "graph": GRAPH,
        "graph_version": "1",
        "fingerprint": "f" * 64,
        "input": "{}",
        "status": RunStatus.SUCCEEDED,
        "epoch": 1,
        "lost_count": 0,
        "created_at": at,
        "changed_at": at,
        "ended_at": at,
        "principal": "ada",
    }


def _decision(
    number: int, run_id: str, key: str, at: datetime, generator: random.Random
) -> dict[str, Any]:
    tool, rule = f"tool-{number % TOOL_COUNT}", f"rule-{generator.randrange(30)}"
    verdict = generator.choices(list(Verdict), weights=[7, 2, 1])[0]
    principal = Principal(
        user="ada",
        agent=GRAPH,
        tenant=TENANT,
        roles=frozenset({"clerk"}),
        groups=frozenset(),
        scopes=frozenset(),
    )
    request = Request(
        tool=tool,
        tool_version="1",
        tenant=TENANT,
        principal=principal,
        args={"order": f"A-{number}", "note": "x" * 100},
        facts={
            "now": at,
            "weekday": 1,
            "spent_today": 0,
            "calls_last_minute": 1,
            "saw_untrusted": False,
            "saw_private": False,
            "given": [],
            "all_given": False,
        },
    )
    decision = Decision(
        verdict=verdict,
        reasons=(rule,),
        message=f"`{tool}` is decided about by `{rule}`.",
        rules=(GateRule(id=rule, group="finance"),) if verdict is Verdict.ASK else (),
    )
    return {
        "tenant": TENANT,
        "run_id": run_id,
        "graph": GRAPH,
        "effect_key": key,
        "policy_digest": "d" * 64,
        "request": to_json(request).decode(),
        "verdict": verdict,
        "decision": to_json(decision).decode(),
        "at": at,
    }


def _effect(
    number: int, run_id: str, key: str, at: datetime, generator: random.Random
) -> dict[str, Any]:
    failed = generator.random() < 0.1
    return {
        "key": key,
        "tenant": TENANT,
        "run_id": run_id,
        "thread_id": run_id,
        "lineage": run_id,
        "tool": f"tool-{number % TOOL_COUNT}",
        "tool_version": "1",
        "effect": "keyed",
        "arguments": json.dumps({"order": f"A-{number}", "note": "x" * 100}),
        "digest": key,
        "status": EffectStatus.FAILED if failed else EffectStatus.SUCCEEDED,
        "attempt": 1,
        "epoch": 1,
        "first_started_at": at,
        "started_at": at,
        "settles_at": at,
        "ended_at": at,
        "result": None if failed else '"done"',
        "error_code": "tool_permanent" if failed else None,
        "error_message": "the account is closed" if failed else None,
        "error_retryable": 0,
        "wants_undoing": 0,
    }


if __name__ == "__main__":
    main()
