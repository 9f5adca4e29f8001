"""Measure what a decision costs: `python -m bench.decisions`.

A policy of so many rules, half of them about the tool that is called and a fifth of them gates; a
call with two arguments, one fact of its contract's and those of the runtime.
"""

import statistics
import time
from collections.abc import Iterator, Sequence

from penstock.contracts.policy import (
    Fact,
    FactType,
    PolicyFile,
    PolicySetName,
    PolicySource,
    Principal,
    Request,
    Verdict,
)
from penstock.contracts.tool import ToolContract
from penstock.policies import CompiledPolicy, compile_policy, make_source

COUNTS = (10, 50, 500)
TARGET_COUNT, TARGET_US = 50, 300
ROUNDS, CALLS = 5, 2000

_TOOLS = tuple(
    ToolContract(
        name=name,
        version="1",
        description=name,
        arguments_schema={
            "type": "object",
            "properties": {"amount": {"type": "number"}, "to": {"type": "string"}},
            "required": ["amount", "to"],
        },
        result_schema={},
        scopes=frozenset({"pay"}),
        tags=frozenset({"money"}),
        facts={"cents": Fact(type=FactType.WHOLE, is_optional=False, description="cents")},
    )
    for name in ("pay", "refund")
)


def main() -> None:
    """Measure, and print."""
    for count in COUNTS:
        policy, compile_s = _compiled(count)
        medians: list[float] = []
        lates: list[float] = []
        for _ in range(ROUNDS):
            taken = _times(policy)
            medians.append(statistics.median(taken))
            lates.append(taken[int(len(taken) * 0.99)])
        wanted = f"; wanted ≤ {TARGET_US}" if count == TARGET_COUNT else ""
        print(
            f"{count} policies: p50 {_spread(medians)} µs, p99 {_spread(lates)} µs{wanted};"
            f" made ready in {compile_s * 1e3:.0f} ms"
        )


def _compiled(count: int) -> tuple[CompiledPolicy, float]:
    began_s = time.perf_counter()
    policy = compile_policy(_source(count), _TOOLS, roles=None, groups=None)
    return policy, time.perf_counter() - began_s


def _source(count: int) -> PolicySource:
    rules = {PolicySetName.ALLOW: list[str](), PolicySetName.GATES: list[str]()}
    for place in range(count):
        tool = "pay" if place % 2 else "refund"
        action = f'action == Penstock::Action::"{tool}"'
        if place == 0:
            text = '@id("clerks") permit (principal in Penstock::Role::"clerk", action, resource);'
        elif place % 5 == 0:
            text = (
                f'@id("r{place}") @gate("finance") permit (principal, {action}, resource)'
                f" when {{ context.facts.cents > {100_000 + place} }};"
            )
        else:
            text = (
                f'@id("r{place}") forbid (principal, {action}, resource) when {{'
                f' context.args.to == "DE{place}"'
                f' && context.args.amount.greaterThan(decimal("{place}.5")) }};'
            )
        rules[PolicySetName.GATES if place and place % 5 == 0 else PolicySetName.ALLOW].append(text)
    return make_source(
        PolicyFile(set=name, name="bench.cedar", text="\n".join(texts))
        for name, texts in rules.items()
    )


def _times(policy: CompiledPolicy) -> Sequence[float]:
    """Return the microseconds of each decision, sorted."""
    return sorted(_each(policy))


def _each(policy: CompiledPolicy) -> Iterator[float]:
    requests = [_request(f"GB{number}", cents) for number, cents in ((1, 500), (2, 90), (3, 7))]
    for number in range(CALLS):
        request = requests[number % len(requests)]
        began_ns = time.perf_counter_ns()
        decision = policy.decide(request)
        yield (time.perf_counter_ns() - began_ns) / 1e3
        if decision.verdict is not Verdict.ALLOW:
            raise RuntimeError(decision.message)


def _request(to: str, cents: int) -> Request:
    who = Principal(
        user="ann",
        agent="desk",
        tenant="acme",
        roles=frozenset({"clerk"}),
        groups=frozenset({"finance"}),
        scopes=frozenset({"pay"}),
    )
    return Request(
        tool="pay",
        tool_version="1",
        tenant="acme",
        principal=who,
        args={"amount": cents / 100, "to": to},
        facts={
            "now": "2026-11-23T10:00:00Z",
            "weekday": 1,
            "spent_today": 0,
            "calls_last_minute": 0,
            "saw_untrusted": False,
            "saw_private": False,
            "given": ["to"],
            "all_given": False,
            "cents": cents,
        },
    )


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.0f} ({min(values):.0f}–{max(values):.0f})"  # noqa: RUF001  (a range)


if __name__ == "__main__":
    main()
