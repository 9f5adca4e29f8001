"""Reconcile: an effect in doubt is undone or looked up before its call goes on."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast

from penstock.checkpoints import ledger
from penstock.contracts.call import (
    Attempt,
    DidNot,
    Done,
    Failed,
    Finding,
    Happened,
    Outcome,
    Unknown,
)
from penstock.contracts.effect import Effect
from penstock.contracts.errors import InvalidResult
from penstock.nodes.calls import invocation
from penstock.nodes.calls.call import Next, RecalledCall, ToolCall
from penstock.nodes.calls.context import SegmentContext
from penstock.nodes.calls.outcomes import in_doubt, outcome_of, undone
from penstock.nodes.secrets import SecretRedactor, SecretValues, no_secrets, resolve
from penstock.nodes.tools.supplies import Supplies

NEXT_LOOK_UP_S = 60.0
"""The time from the first look-up to the second; each later wait is as long as all before it."""

Undo = Callable[[ToolCall], Awaitable[Outcome]]
"""Makes the call that undoes another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconcile:
    """Settles an effect in doubt, where that can be done without a person."""

    context: SegmentContext
    undo: Undo

    async def __call__(self, recalled: RecalledCall, following: Next[RecalledCall]) -> Outcome:
        """Let the call go on if it is not in doubt, or a look-up shows that it did not happen."""
        call, effect = recalled.call, recalled.effect_in_doubt
        if effect is None:
            return await following(recalled)
        if effect.wants_undoing:
            return await self._undo(call, effect)
        if call.tool.probe is None or recalled.may_land:
            return outcome_of(call, effect)
        outcome = await self._look_up(call, effect)
        return await following(recalled) if outcome is None else outcome

    async def _undo(self, call: ToolCall, effect: Effect) -> Outcome:
        outcome = await self.undo(call)
        if not isinstance(outcome, Done):
            return outcome
        at, worker = self.context.clock.now(), self.context.worker
        await self.context.store.write(
            lambda connection: ledger.record_compensation(connection, effect, at=at, actor=worker)
        )
        return undone(effect)

    async def _look_up(self, call: ToolCall, effect: Effect) -> Outcome | None:
        """Return what the probe finds out; None where the call did not happen and may be made."""
        finding = await self._probe(call, effect)
        store, at, worker = self.context.store, self.context.clock.now(), self.context.worker
        key, attempt = effect.key, effect.attempt
        match finding:
            case Happened(result=result):
                text = call.tool.results.dump(result)
                found = await store.write(
                    lambda connection: ledger.succeed(
                        connection, key, attempt, text, at=at, actor=worker
                    )
                )
                if found is None:
                    return await self._recorded_outcome(call)
                return Done(result=call.tool.results.load(text), recorded=True)
            case DidNot():
                may_try = attempt < call.tool.contract.retry.attempt_limit
                failed = Failed(
                    code="did_not_happen",
                    message=f"attempt {attempt} of `{effect.tool}` did not happen",
                    retryable=may_try,
                )
                found = await store.write(
                    lambda connection: ledger.record_not_happened(
                        connection, key, attempt, failed, at=at, actor=worker
                    )
                )
                if found is None:
                    return await self._recorded_outcome(call)
                return None if may_try else failed
            case Unknown(why=why):
                waited_s = (at - effect.settles_at).total_seconds()
                next_s = max(NEXT_LOOK_UP_S, waited_s)
                await store.write(
                    lambda connection: ledger.record_lookup(
                        connection, effect, why, next_s=next_s, at=at, actor=worker
                    )
                )
                return in_doubt(effect, why)

    async def _recorded_outcome(self, call: ToolCall) -> Outcome:
        """Return the outcome that a person, or a late attempt, recorded before the probe did."""
        key = call.effect.key
        effect = await self.context.store.read(lambda connection: ledger.get(connection, key))
        return outcome_of(call, effect)

    async def _probe(self, call: ToolCall, effect: Effect) -> Finding:
        """Ask the probe; where that fails, the call stays in doubt."""
        probe = call.tool.probe
        if probe is None:
            return Unknown("there is no probe")
        found = resolve(call.tool.contract.secrets, self.context.secrets)
        secrets = found if isinstance(found, SecretValues) else no_secrets()
        attempt = Attempt(
            key=effect.key,
            number=effect.attempt,
            deadline_at=effect.settles_at,
            run_id=effect.run_id,
        )
        keywords = probe.bind(call.checked.values, Supplies(attempt=attempt, secrets=secrets))
        try:
            finding = await invocation.invoke(
                probe.function,
                keywords,
                is_async=probe.signature.is_async,
                timeout_s=call.tool.contract.timeout_s,
                halt=self.context.halt,
            )
            if isinstance(finding, Happened):
                call.tool.results.dump(finding.result)
        except invocation.TooLate:
            return Unknown("the probe did not answer in time")
        except InvalidResult as error:
            return Unknown(f"the probe says that it happened, with no such result: {error}")
        except Exception as error:
            message = f"{type(error).__name__}: {error}"
            return Unknown(SecretRedactor(secrets.values()).text(message))
        if isinstance(finding, Happened | DidNot | Unknown):
            return finding
        return Unknown(f"the probe returned a `{type(cast(Any, finding)).__name__}`")
