"""Approve: a call that the policy asks people about waits at a gate until they have decided."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from penstock.checkpoints import gates, policies
from penstock.checkpoints.fence import require_lease
from penstock.contracts.call import Outcome, Refused, Stage
from penstock.contracts.gate import Gate, GateStatus, VoteKind
from penstock.contracts.policy import GateRule, OnExpiry
from penstock.contracts.signals import GateExpired
from penstock.nodes.calls.authorization import binding_of
from penstock.nodes.calls.call import ApprovedCall, AuthorizedCall, Next
from penstock.nodes.calls.claim import DONE_BEFORE, ApprovalVoid, StaleDecision
from penstock.nodes.calls.context import SegmentContext
from penstock.nodes.calls.outcomes import parking_interrupt
from penstock.nodes.gates.approvals import ApprovalRequest, covers, open_gate, terms_of
from penstock.traces import names


@dataclass(frozen=True, slots=True)
class Approve:
    """Parks a call that needs an approval, and lets it go on once it has one."""

    context: SegmentContext

    async def __call__(self, authorized: AuthorizedCall, following: Next[ApprovedCall]) -> Outcome:
        """Let the call go on if nobody needs to be asked, or everybody has approved.

        Raises:
            GraphInterrupt: The run is to wait at the gate.
            GateExpired: Nobody decided in time, and the run is to fail then.
        """
        recalled, decided = authorized.recalled, authorized.decided
        call, edit = recalled.call, recalled.edit
        rules = [*decided.decision.rules, *([DONE_BEFORE] if call.is_done_elsewhere else [])]
        approved = ApprovedCall(call=call, decided=decided, approval=None)
        # The person who had a call undone has approved exactly this one.
        if call.undoes:
            return await following(approved)
        refused = self._earlier_refusal(authorized)
        if refused is not None:
            return refused
        if not (rules or edit):
            await self._withdraw(authorized)
            return await following(approved)
        request = ApprovalRequest(
            run=self.context.run,
            contract=call.tool.contract,
            checked=call.checked,
            binding=binding_of(self.context.run, call.effect.digest, decided),
            decided=decided,
            rules=rules,
            edit=edit,
        )
        gate = next((gate for gate in recalled.gates if gate.binding == request.binding), None)
        if gate is None or not self._covers(gate, rules):
            gate = await self._ask(authorized, request, gate or _edited_gate(recalled.gates))
        call.span.set({names.HUMAN_GATE: gate.id})
        refused = _refusal(gate)
        if refused is not None:
            return refused
        if gate.status is GateStatus.OPEN:
            raise parking_interrupt(gate.id, f"{call.tool.name} needs an approval")
        try:
            return await following(replace(approved, approval=gate.id))
        except ApprovalVoid:
            again = await self._ask(authorized, request, gate)
            raise parking_interrupt(again.id, f"{call.tool.name} needs another approval") from None

    def _covers(self, gate: Gate, rules: Sequence[GateRule]) -> bool:
        """Tell whether a gate asks for all that is wanted now, or has been used up."""
        if gate.consumed_at is not None or not rules:
            return True
        return covers(gate, terms_of(rules, self.context.run.principal))

    def _earlier_refusal(self, authorized: AuthorizedCall) -> Refused | None:
        """Return the refusal of exactly this call at a gate that was rejected, or has expired.

        It stands whatever the policy decides now: the node runs again from its first line, and the
        outcome that its caller once saw must not change.
        """
        run, call = self.context.run, authorized.call
        for gate in authorized.recalled.gates:
            then = replace(authorized.decided, policy_digest=gate.policy_digest or "")
            is_over = gate.status in {GateStatus.DECIDED, GateStatus.EXPIRED}
            if is_over and gate.binding == binding_of(run, call.effect.digest, then):
                refused = _refusal(gate)
                if refused is not None:
                    call.span.set({names.HUMAN_GATE: gate.id})
                    return refused
        return None

    async def _ask(
        self, authorized: AuthorizedCall, request: ApprovalRequest, before: Gate | None
    ) -> Gate:
        """Open the gate that is wanted now, in place of the one before."""
        at, worker = self.context.clock.now(), self.context.worker

        def change(connection: Connection) -> Gate:
            self._require_unchanged(connection, authorized)
            return open_gate(connection, request, before, at=at, actor=worker)

        return await self.context.store.write(change)

    async def _withdraw(self, authorized: AuthorizedCall) -> None:
        """Withdraw the open gates of a call that nobody needs to be asked about any more."""
        asked = [gate.id for gate in authorized.recalled.gates if gate.status is GateStatus.OPEN]
        at, worker = self.context.clock.now(), self.context.worker

        def change(connection: Connection) -> None:
            self._require_unchanged(connection, authorized)
            gates.withdraw(connection, asked, at=at, actor=worker)

        if asked:
            await self.context.store.write(change)

    def _require_unchanged(self, connection: Connection, authorized: AuthorizedCall) -> None:
        """Make sure that nothing has changed since a call was decided.

        Raises:
            StaleDecision: Somebody has voted, or another policy decides.
            LeaseLost: Another worker drives the run now.
        """
        run, decided = self.context.run, authorized.decided
        require_lease(connection, run.fence)
        asked = gates.approvals_of(connection, authorized.call.effect.key, run_id=run.id)
        is_same = policies.active_digest(connection, run.graph) == decided.policy_digest
        if not is_same or asked != authorized.recalled.gates:
            raise StaleDecision(decided.policy_digest)


def _edited_gate(asked: Sequence[Gate]) -> Gate | None:
    """Return the gate at which a person has edited a call, under a policy of before."""
    return next((gate for gate in asked if gate.edit is not None), None)


def _refusal(gate: Gate) -> Refused | None:
    """Return the refusal of a call whose gate was closed without an approval."""
    match gate.status:
        case GateStatus.OPEN:
            return None
        case GateStatus.DECIDED:
            return _decided_refusal(gate)
        case GateStatus.EXPIRED if gate.on_expiry is OnExpiry.FAIL:
            raise GateExpired(f"nobody decided in time at gate `{gate.id}`; redrive to ask again")
        case GateStatus.EXPIRED:
            return _refused(code="gate_expired", message="nobody decided in time")
        case _:
            return _refused(code="gate_closed", message=f"its gate was {gate.status}")


def _decided_refusal(gate: Gate) -> Refused | None:
    match gate.decision:
        case VoteKind.APPROVE:
            return None
        case VoteKind.RESPOND:
            return _refused(code="responded", message=gate.reason or "")
        case _:
            return _refused(
                code="rejected", message=f"`{gate.decided_by}` rejected it: {gate.reason}"
            )


def _refused(*, code: str, message: str) -> Refused:
    return Refused(stage=Stage.GATE, code=code, message=message)
