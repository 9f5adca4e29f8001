"""`penstock gates`, `decide`, `look-up`, `break-glass` and `delegate`: what waits for people."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from penstock.contracts.amounts import read_amount
from penstock.contracts.clock import SystemClock
from penstock.contracts.errors import EditRefused, InvalidAnswer
from penstock.contracts.gate import BudgetAnswer, Channel, Gate, GateKind, GateStatus, Vote
from penstock.ui.cli.options import As, AsJson, GateArgument, Limit, read_json
from penstock.ui.cli.output import Output, field_table, table
from penstock.ui.cli.rendering import (
    KEY_CHARS,
    approvals_wanted,
    decide_command,
    gate_request,
    open_gate_hints,
    question_text,
)
from penstock.ui.project import Project, load_graphs, open_project, read_settings
from penstock.ui.text import age, instant, short
from penstock.ui.views import gates as views

if TYPE_CHECKING:
    from penstock.contracts.gate import Delegation

APPROVE, REJECT, EDIT, RESPOND = "approve", "reject", "edit", "respond"


def gates(
    *,
    gate_id: Annotated[
        str | None, typer.Argument(metavar="[GATE]", help="One of them, to show it whole.")
    ] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List what waits for people, oldest first, or show one gate whole."""
    output = Output(as_json=as_json)
    with open_project(read_settings()) as project:
        if gate_id is None:
            _list_open(project, output, limit=limit)
        else:
            _show(project, output, gate_id)


def decide(
    *,
    gate_id: GateArgument,
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="`approve`, `reject`, `edit`, `respond`; of a budget `raise`, `finish`, `stop`;"
            " or an answer as JSON.",
        ),
    ],
    value: Annotated[
        str | None,
        typer.Argument(
            metavar="[VALUE]",
            help="To `edit`: arguments as JSON, `@file` or `-`. To `respond`: what to say. To"
            " `raise`: by how much.",
        ),
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why; a rejection needs one.")] = None,
    who: As = None,
    as_json: AsJson = False,
) -> None:
    """Decide at a gate; its run goes on once enough people have."""
    settings, output = read_settings(), Output(as_json=as_json)
    # An edit is checked against the tool, which is the project's.
    catalog = load_graphs(settings) if what == EDIT else None
    with open_project(settings, catalog) as project:
        person = project.person(who)

        async def change() -> Gate:
            gate = await project.queries.gate(await project.gate(gate_id))
            if gate.kind is GateKind.BUDGET and what in frozenset(BudgetAnswer):
                answer = _budget_answer(gate, BudgetAnswer(what), value)
                return await project.control.decide(gate.id, answer, by=person)
            if gate.kind is not GateKind.APPROVAL:
                return await project.control.decide(gate.id, _answer(what, value), by=person)
            return await _vote(project, gate, person, what=what, value=value, reason=reason)

        changed = asyncio.run(change())
    _answer_changed(output, changed, person)


def look_up(*, gate_id: GateArgument, who: As = None, as_json: AsJson = False) -> None:
    """Have a worker look up now what became of a call in doubt; what it finds answers the gate."""
    settings, output = read_settings(), Output(as_json=as_json)
    # Whether a call has a probe its class says, and else its tool, which is the project's.
    with open_project(settings, load_graphs(settings)) as project:
        person = project.person(who)

        async def change() -> Gate:
            return await project.runtime.look_up(await project.gate(gate_id), by=person)

        changed = asyncio.run(change())
    key = (changed.effect_key or "")[:KEY_CHARS]
    output.answer(
        views.GateDocument(gate=views.gate_view(changed)),
        f"gate {changed.id}: a worker looks up with its next beat what became of the call, and what"
        f" it finds answers; `penstock effects {key}` shows it",
    )


def break_glass(
    *,
    gate_id: GateArgument,
    reason: Annotated[str, typer.Option(help="Why there is no time for the others.")],
    who: As = None,
    as_json: AsJson = False,
) -> None:
    """Approve alone, in an emergency: a right of the group `break-glass`."""
    output = Output(as_json=as_json)
    with open_project(read_settings()) as project:
        person = project.person(who)

        async def change() -> Gate:
            gate = await project.queries.gate(await project.gate(gate_id))
            return await project.approvals.break_glass(
                gate.id, by=person, binding=gate.binding or "", reason=reason
            )

        changed = asyncio.run(change())
    _answer_changed(output, changed, person)


def delegate(
    *,
    to: Annotated[
        str | None, typer.Argument(metavar="[USER]", help="Who votes for you; none lists them.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(help="When it ends, in UTC: 2027-01-31 or 2027-01-31T18:00.")
    ] = None,
    gate_id: Annotated[
        str | None, typer.Option("--gate", metavar="GATE", help="At this gate only.")
    ] = None,
    revoke: Annotated[
        int | None, typer.Option(metavar="NUMBER", help="Take a seat back instead.")
    ] = None,
    who: As = None,
    as_json: AsJson = False,
) -> None:
    """Lend your seat at gates to somebody else for a time, list what is lent, or take it back."""
    if to is not None and until is None:
        raise typer.BadParameter("--until says when the delegation ends")
    output = Output(as_json=as_json)
    with open_project(read_settings()) as project:
        if revoke is not None:
            asyncio.run(project.approvals.revoke(revoke, by=project.person(who)))
            document = views.RevokedDelegation(revoked=revoke)
            output.answer(document, f"delegation {revoke} is over")
        elif to is None or until is None:
            _list_delegations(project, output)
        else:
            _delegate(project, output, to=to, until=until, gate_id=gate_id, who=who)


def _list_open(project: Project, output: Output, *, limit: int) -> None:
    tenant, now = project.settings.tenant, SystemClock().now()
    found = asyncio.run(project.queries.open_gates(tenant=tenant, limit=limit))
    lines = [line for gate in found for line in _summary(gate, now)]
    document = views.GateList(gates=[views.gate_view(gate) for gate in found])
    output.answer(document, *(lines or ["no gate is open"]))


def _show(project: Project, output: Output, typed: str) -> None:
    from penstock.checkpoints.gates import votes_of

    async def find() -> tuple[Gate, Sequence[Vote]]:
        gate = await project.queries.gate(await project.gate(typed))
        return gate, await project.store.read(lambda connection: votes_of(connection, gate.id))

    gate, votes = asyncio.run(find())
    output.answer(views.gate_details(gate, votes), *_details(gate, votes))


async def _vote(
    project: Project, gate: Gate, person: str, *, what: str, value: str | None, reason: str | None
) -> Gate:
    """Do at a gate that asks for an approval what was typed.

    What the gate shows under its id never changes: an edit and a new policy open another.
    """
    approvals, seen = project.approvals, gate.binding or ""
    match what:
        case "approve":
            return await approvals.approve(
                gate.id, by=person, binding=seen, reason=reason, channel=Channel.CLI
            )
        case "reject":
            return await approvals.reject(
                gate.id, by=person, binding=seen, reason=reason or "", channel=Channel.CLI
            )
        case "respond":
            return await approvals.respond(
                gate.id, value or "", by=person, binding=seen, channel=Channel.CLI
            )
        case "edit":
            return await approvals.edit(gate.id, _arguments(value), by=person, binding=seen)
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
    typed = (value or "") if what == RESPOND else what
    return read_json(typed, what="answer", refusal=InvalidAnswer)


def _budget_answer(gate: Gate, what: BudgetAnswer, value: str | None) -> Mapping[str, object]:
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
    arguments = read_json(value or "", what="arguments", refusal=EditRefused)
    if not isinstance(arguments, dict):
        raise EditRefused("the arguments are not an object of JSON; write them as '{\"name\": …}'")
    return cast("dict[str, object]", arguments)


def _delegate(
    project: Project,
    output: Output,
    *,
    to: str,
    until: datetime,
    gate_id: str | None,
    who: str | None,
) -> None:
    person = project.person(who)
    ends_at = until.replace(tzinfo=UTC) if until.tzinfo is None else until

    async def change() -> "Delegation":
        return await project.approvals.delegate(
            tenant=project.settings.tenant,
            from_person=person,
            to_person=to,
            ends_at=ends_at,
            gate_id=None if gate_id is None else await project.gate(gate_id),
            by=person,
        )

    lent = asyncio.run(change())
    output.answer(
        views.DelegationDocument(delegation=lent),
        f"{lent.to_person} votes for {lent.from_person} until {instant(lent.ends_at)}",
        f"next: penstock delegate --revoke {lent.id}",
    )


def _list_delegations(project: Project, output: Output) -> None:
    found = asyncio.run(project.approvals.delegations(tenant=project.settings.tenant))
    rows = [
        (
            str(each.id),
            each.from_person,
            each.to_person,
            instant(each.starts_at),
            instant(each.ends_at),
            each.gate_id or "all",
        )
        for each in found
    ]
    output.answer(
        views.DelegationList(delegations=found),
        table("number", "of", "to", "from", "until", "gate", rows=rows) if rows else "none",
    )


def _answer_changed(output: Output, gate: Gate, person: str) -> None:
    document = views.GateDocument(gate=views.gate_view(gate))
    output.answer(document, *_outcome(gate, person))


def _summary(gate: Gate, now: datetime) -> Sequence[str]:
    """Return what somebody who may decide a gate has to know first, in a few lines."""
    open_for = age((now - gate.opened_at).total_seconds())
    lines = [
        f"gate {gate.id} of run {gate.run_id}, open for {open_for}",
        f"  {question_text(gate)}",
    ]
    if gate.kind is GateKind.APPROVAL:
        left = "" if gate.expires_at is None else age((gate.expires_at - now).total_seconds())
        lines.append(f"  {approvals_wanted(gate)}; {left} left; {_why(gate)}")
    return [*lines, f"  next: {decide_command(gate)}"]


def _details(gate: Gate, votes: Sequence[Vote]) -> Sequence[Any]:
    """Return all there is to know of a gate."""
    shown: dict[str, Any] = json.loads(gate.question) if gate.kind is GateKind.APPROVAL else {}
    fields = {
        "gate": gate.id,
        "kind": str(gate.kind),
        "status": str(gate.status),
        "run": gate.run_id,
        "asks": f"{shown['may_it_happen']}: {shown['does']}" if shown else gate_request(gate),
        "arguments": json.dumps(shown["arguments"], ensure_ascii=False) if shown else "",
        "acts for": f"{shown['acts_for']}, through {shown['agent']}" if shown else "",
        "edited by": shown.get("edited_by") or "",
        "because": f"{shown['why']}" if shown else "",
        "facts": json.dumps(shown["facts"], ensure_ascii=False) if shown else "",
        "of": approvals_wanted(gate) if shown else "",
        "opened": instant(gate.opened_at),
        "expires": instant(gate.expires_at),
        "then": f"{gate.on_expiry}" if gate.on_expiry else "",
        "escalates": f"{instant(gate.escalates_at)} to {gate.escalates_to}"
        if gate.escalates_to
        else "",
        "answer": gate.answer or "",
        "closed": f"{instant(gate.closed_at)} by {gate.decided_by}" if gate.decided_by else "",
        "used up": instant(gate.consumed_at),
    }
    text: list[Any] = [field_table(fields)]
    if votes:
        rows = [
            (instant(vote.at), vote.person, vote.kind, vote.seat, vote.channel, vote.reason or "")
            for vote in votes
        ]
        text += ["", table("at", "who", "vote", "seat", "by", "reason", rows=rows)]
    return [*text, *open_gate_hints([gate])[-1:]] if gate.status is GateStatus.OPEN else text


def _outcome(gate: Gate, person: str) -> Sequence[str]:
    """Say what came of what a person did at a gate."""
    if gate.kind is not GateKind.APPROVAL:
        return [
            f"gate {gate.id} is decided by {gate.decided_by}: {gate.answer}",
            f"next: penstock show {gate.run_id}",
        ]
    if gate.status is GateStatus.OPEN and gate.edit is not None and gate.edit.by == person:
        return [
            f"gate {gate.id} asks about the edited call; somebody else approves it",
            f"next: {decide_command(gate)}",
        ]
    if gate.status is GateStatus.OPEN:
        return [f"gate {gate.id} has the vote of {person}, and {approvals_wanted(gate)}"]
    return [
        f"gate {gate.id} is decided by {gate.decided_by}: {gate.decision}",
        f"next: penstock show {gate.run_id}",
    ]


def _why(gate: Gate) -> str:
    return short(json.loads(gate.question)["why"])
