"""`penstock gates`, `decide`, `look-up`, `break-glass`: what waits for people, and their say."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

from penstock.contracts.amounts import read_amount
from penstock.contracts.clock import SystemClock
from penstock.contracts.errors import EditRefused, InvalidAnswer
from penstock.contracts.gate import BudgetAnswer, Channel, Gate, GateKind, Vote
from penstock.runs.settings import Settings
from penstock.ui.cli import rendering
from penstock.ui.cli.given import read_json
from penstock.ui.cli.output import Output
from penstock.ui.project import Project, load_graphs, open_project

APPROVE, REJECT, EDIT, RESPOND = "approve", "reject", "edit", "respond"


def gates(settings: Settings, output: Output, *, limit: int) -> None:
    """List the tenant's open gates, the longest waiting first."""
    with open_project(settings) as desk:
        found = asyncio.run(desk.runtime.open_gates(tenant=settings.tenant, limit=limit))
    now = SystemClock().now()
    said: list[str] = []
    for each in found:
        said += rendering.gate_summary(each, now)
    output.answer(
        {"gates": [rendering.of_gate(each) for each in found]}, *(said or ["no gate is open"])
    )


def gate(settings: Settings, output: Output, *, typed: str) -> None:
    """Show one gate whole: what it asks, of whom, and who has said what."""

    async def find(desk: Project) -> tuple[Gate, Sequence[Vote]]:
        found = await desk.runtime.gate(await desk.gate(typed))
        return found, await desk.approvals.votes(found.id)

    with open_project(settings) as desk:
        found, votes = asyncio.run(find(desk))
    output.answer(
        {"gate": rendering.of_gate(found), "votes": [rendering.of_vote(vote) for vote in votes]},
        *rendering.gate_details(found, votes),
    )


def decide(
    settings: Settings,
    output: Output,
    *,
    typed: str,
    what: str,
    value: str | None,
    reason: str | None,
    who: str | None,
) -> None:
    """Vote, edit, respond or answer at a gate."""
    # An edit is checked against the tool, which is the project's.
    catalog = load_graphs(settings) if what == EDIT else None
    with open_project(settings, catalog) as desk:
        person = desk.person(who)

        async def change() -> Gate:
            found = await desk.runtime.gate(await desk.gate(typed))
            if found.kind is GateKind.BUDGET and what in frozenset(BudgetAnswer):
                answer = _about_budget(found, BudgetAnswer(what), value)
                return await desk.runtime.decide(found.id, answer, by=person)
            if found.kind is not GateKind.APPROVAL:
                return await desk.runtime.decide(found.id, _answer(what, value), by=person)
            return await _vote(desk, found, person, what=what, value=value, reason=reason)

        left = asyncio.run(change())
    output.answer({"gate": rendering.of_gate(left)}, *rendering.decision_outcome(left, person))


def look_up(settings: Settings, output: Output, *, typed: str, who: str | None) -> None:
    """Have a worker ask a call's probe."""
    # Whether a call has one is known by its class, and else by its tool, which is the project's.
    with open_project(settings, load_graphs(settings)) as desk:
        person = desk.person(who)

        async def change() -> Gate:
            return await desk.runtime.look_up(await desk.gate(typed), by=person)

        left = asyncio.run(change())
    key = (left.effect_key or "")[: rendering.KEY_CHARS]
    output.answer(
        {"gate": rendering.of_gate(left)},
        f"gate {left.id}: a worker looks up with its next beat what became of the call, and what it"
        f" finds answers; `penstock effects {key}` shows it",
    )


def break_glass(
    settings: Settings, output: Output, *, typed: str, reason: str, who: str | None
) -> None:
    """Approve alone."""
    with open_project(settings) as desk:
        person = desk.person(who)

        async def change() -> Gate:
            found = await desk.runtime.gate(await desk.gate(typed))
            return await desk.approvals.break_glass(
                found.id, by=person, binding=found.binding or "", reason=reason
            )

        left = asyncio.run(change())
    output.answer({"gate": rendering.of_gate(left)}, *rendering.decision_outcome(left, person))


async def _vote(
    desk: Project, gate: Gate, person: str, *, what: str, value: str | None, reason: str | None
) -> Gate:
    """Do at a gate that asks for an approval what was typed.

    What the gate shows under its id never changes: an edit and a new policy open another.
    """
    seen = gate.binding or ""
    match what:
        case "approve":
            return await desk.approvals.approve(
                gate.id, by=person, binding=seen, reason=reason, channel=Channel.CLI
            )
        case "reject":
            return await desk.approvals.reject(
                gate.id, by=person, binding=seen, reason=reason or "", channel=Channel.CLI
            )
        case "respond":
            return await desk.approvals.respond(
                gate.id, value or "", by=person, binding=seen, channel=Channel.CLI
            )
        case "edit":
            return await desk.approvals.edit(gate.id, _arguments(value), by=person, binding=seen)
        case _:
            raise InvalidAnswer(
                f"gate `{gate.id}` asks for an approval: say `{APPROVE}`, `{REJECT} --reason …`,"
                f" `{EDIT} '{{…}}'` or `{RESPOND} '…'`, not `{what}`"
            )


def _answer(what: str, value: str | None) -> Any:
    """Return the answer to a gate that asks something else, which `respond` may stand before."""
    if what in {APPROVE, REJECT, EDIT}:
        raise InvalidAnswer(
            f"the gate asks no approval, so `{what}` is no answer to it; `penstock gates GATE`"
            " shows what it asks, and the answer is JSON"
        )
    given = (value or "") if what == RESPOND else what
    return read_json(given, what="answer", refusal=InvalidAnswer)


def _about_budget(gate: Gate, what: BudgetAnswer, value: str | None) -> Mapping[str, object]:
    """Return what was typed at a gate of kind `budget`: `raise AMOUNT`, `finish` or `stop`."""
    if what is not BudgetAnswer.RAISE:
        return {"type": what}
    if gate.cap is None:
        raise InvalidAnswer(f"gate `{gate.id}` is about no cap")
    try:
        by = read_amount(gate.cap, value or "")
    except ValueError as error:
        raise InvalidAnswer(f"gate `{gate.id}` was not decided: {error}") from None
    return {"type": what, "cap": gate.cap, "by": by}


def _arguments(value: str | None) -> Mapping[str, object]:
    given = read_json(value or "", what="arguments", refusal=EditRefused)
    if not isinstance(given, dict):
        raise EditRefused("the arguments are not an object of JSON; write them as '{\"name\": …}'")
    return cast("dict[str, object]", given)
