"""Approve: what a policy asks people about waits at a gate until they have decided."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from penstock.checkpoints import gates, policies
from penstock.checkpoints.fence import require_lease
from penstock.contracts.call import Outcome, Refused, Stage
from penstock.contracts.gate import Gate, GateStatus, VoteKind
from penstock.contracts.policy import GateRule, OnExpiry, RecordedDecision
from penstock.contracts.signals import GateExpired
from penstock.nodes.calls.acting import Acting
from penstock.nodes.calls.binding import binding_of
from penstock.nodes.calls.call import Consent, Next, ToolCall
from penstock.nodes.calls.claim import ConsentVoid, StaleDecision
from penstock.nodes.gates.approvals import Asking, covers, open_gate, terms_of
from penstock.nodes.gates.parking import parked
from penstock.traces import names


@dataclass(frozen=True, slots=True)
class Approve:
    """Parks a call that needs a gate, and lets it go on with the consent that was given."""

    acting: Acting

    async def __call__(self, call: ToolCall, following: Next) -> Outcome:
        """Let the call go on if nobody needs to be asked, or everybody has approved.

        Raises:
            GraphInterrupt: The run is to wait at the gate.
            GateExpired: Nobody decided in time, and the run is to fail then.
        """
        decided = call.decided
        if decided is None:
            raise TypeError(f"`{call.tool.name}` was not decided about")
        rules = [*decided.decision.rules, *call.rules]
        # Whoever had a call undone has decided about exactly this one.
        if call.undoes:
            return await following(call)
        refused = self._refused_before(call, decided)
        if refused is not None:
            return refused
        if not (rules or call.edit):
            await self._withdraw(call, decided)
            return await following(call)
        asking = Asking(
            run=self.acting.run,
            contract=call.tool.contract,
            checked=call.checked,
            binding=binding_of(self.acting.run, call.effect.digest, decided),
            decided=decided,
            rules=rules,
            edit=call.edit,
        )
        gate = next((gate for gate in call.asked if gate.binding == asking.binding), None)
        if gate is None or not self._holds(gate, rules):
            gate = await self._ask(call, asking, gate or _edited(call))
        call.span.set({names.HUMAN_GATE: gate.id})
        refused = _refusal(gate)
        if refused is not None:
            return refused
        if gate.status is GateStatus.OPEN:
            raise parked(gate.id, f"{call.tool.name} needs an approval")
        try:
            return await following(replace(call, consent=Consent(gate_id=gate.id)))
        except ConsentVoid:
            again = await self._ask(call, asking, gate)
            raise parked(again.id, f"{call.tool.name} needs another approval") from None

    def _holds(self, gate: Gate, rules: Sequence[GateRule]) -> bool:
        """Tell whether a gate asks for all that is wanted now; one used up did so then."""
        if gate.consumed_at is not None or not rules:
            return True
        return covers(gate, terms_of(rules, self.acting.run.principal))

    def _refused_before(self, call: ToolCall, decided: RecordedDecision) -> Refused | None:
        """Return what people, or their silence, have said to exactly this call, where it was no.

        It stands whatever the policy says now: the node runs again from its first line, and what
        its caller was told once must stay so.
        """
        run, digest = self.acting.run, call.effect.digest
        for gate in call.asked:
            then = replace(decided, policy_digest=gate.policy_digest or "")
            is_over = gate.status in {GateStatus.DECIDED, GateStatus.EXPIRED}
            if is_over and gate.binding == binding_of(run, digest, then):
                refused = _refusal(gate)
                if refused is not None:
                    call.span.set({names.HUMAN_GATE: gate.id})
                    return refused
        return None

    async def _ask(self, call: ToolCall, asking: Asking, before: Gate | None) -> Gate:
        """Open the gate that is wanted now, in place of the one before."""
        at, worker = self.acting.clock.now(), self.acting.worker

        def change(connection: Connection) -> Gate:
            self._require_unchanged(connection, call, asking.decided)
            return open_gate(connection, asking, before, at=at, actor=worker)

        return await self.acting.store.write(change)

    async def _withdraw(self, call: ToolCall, decided: RecordedDecision) -> None:
        """Close what still asks about a call that nobody needs to be asked about any more."""
        asked = [gate.id for gate in call.asked if gate.status is GateStatus.OPEN]
        at, worker = self.acting.clock.now(), self.acting.worker

        def change(connection: Connection) -> None:
            self._require_unchanged(connection, call, decided)
            gates.withdraw(connection, asked, at=at, actor=worker)

        if asked:
            await self.acting.store.write(change)

    def _require_unchanged(
        self, connection: Connection, call: ToolCall, decided: RecordedDecision
    ) -> None:
        """Let pass what rests on how things still are.

        Raises:
            StaleDecision: Somebody has voted, or another policy decides, since it was decided.
            LeaseLost: Somebody else drives the run now.
        """
        run = self.acting.run
        require_lease(connection, run.fence)
        asked = gates.approvals_of(connection, call.effect.key, run_id=run.id)
        is_same = policies.active_digest(connection, run.graph) == decided.policy_digest
        if not is_same or asked != call.asked:
            raise StaleDecision(decided.policy_digest)


def _edited(call: ToolCall) -> Gate | None:
    """Return the gate at which a person has edited a call, under a policy that is not any more."""
    return next((gate for gate in call.asked if gate.edit is not None), None)


def _refusal(gate: Gate) -> Refused | None:
    """Return what a call comes to whose gate was closed without an approval."""
    match gate.status:
        case GateStatus.OPEN:
            return None
        case GateStatus.DECIDED:
            return _said(gate)
        case GateStatus.EXPIRED if gate.on_expiry is OnExpiry.FAIL:
            raise GateExpired(f"nobody decided in time at gate `{gate.id}`; redrive to ask again")
        case GateStatus.EXPIRED:
            return _gate(code="gate_expired", message="nobody decided in time")
        case _:
            return _gate(code="gate_closed", message=f"its gate was {gate.status}")


def _said(gate: Gate) -> Refused | None:
    match gate.decision:
        case VoteKind.APPROVE:
            return None
        case VoteKind.RESPOND:
            return _gate(code="responded", message=gate.reason or "")
        case _:
            return _gate(code="rejected", message=f"`{gate.decided_by}` rejected it: {gate.reason}")


def _gate(*, code: str, message: str) -> Refused:
    return Refused(stage=Stage.GATE, code=code, message=message)
