"""Clear up: an effect in doubt is undone or looked up before anything else is done about it."""

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
from penstock.nodes.calls import functions
from penstock.nodes.calls.acting import Acting
from penstock.nodes.calls.call import Next, ToolCall
from penstock.nodes.calls.known import in_doubt, outcome_of, undone
from penstock.nodes.secrets import SecretRedactor, SecretValues, no_secrets, resolve
from penstock.nodes.tools.supplies import Supplies

LOOK_AGAIN_S = 60.0
"""Between the first look-up and the second; each further wait is as long as all before."""

Undo = Callable[[ToolCall], Awaitable[Outcome]]
"""Makes the call that undoes another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearUp:
    """Finds out about an effect in doubt, where that can be done without a person."""

    acting: Acting
    undo: Undo

    async def __call__(self, call: ToolCall, following: Next) -> Outcome:
        """Let the call go on if nothing is in doubt, or if it turns out that nothing happened."""
        if call.doubted is None:
            return await following(call)
        effect = call.doubted.effect
        if effect.wants_undoing:
            return await self._undo(call, effect)
        if call.tool.probe is None or call.doubted.may_land:
            return outcome_of(call, effect)
        return await self._look_up(call, effect, following)

    async def _undo(self, call: ToolCall, effect: Effect) -> Outcome:
        outcome = await self.undo(call)
        if not isinstance(outcome, Done):
            return outcome
        at, worker = self.acting.clock.now(), self.acting.worker
        await self.acting.store.write(
            lambda connection: ledger.record_compensation(connection, effect, at=at, actor=worker)
        )
        return undone(effect)

    async def _look_up(self, call: ToolCall, effect: Effect, following: Next) -> Outcome:
        finding = await self._find_out(call, effect)
        store, at, worker = self.acting.store, self.acting.clock.now(), self.acting.worker
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
                    return await self._as_it_stands(call)
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
                    return await self._as_it_stands(call)
                return await following(call) if may_try else failed
            case Unknown(why=why):
                waited_s = (at - effect.settles_at).total_seconds()
                next_s = max(LOOK_AGAIN_S, waited_s)
                await store.write(
                    lambda connection: ledger.record_lookup(
                        connection, effect, why, next_s=next_s, at=at, actor=worker
                    )
                )
                return in_doubt(effect, why)

    async def _as_it_stands(self, call: ToolCall) -> Outcome:
        """Return what is known since a person, or a late report, was quicker than the probe."""
        key = call.effect.key
        effect = await self.acting.store.read(lambda connection: ledger.get(connection, key))
        return outcome_of(call, effect)

    async def _find_out(self, call: ToolCall, effect: Effect) -> Finding:
        """Ask the probe; whatever goes wrong with it leaves the doubt as it was."""
        probe = call.tool.probe
        if probe is None:
            return Unknown("there is no probe")
        found = resolve(call.tool.contract.secrets, self.acting.secrets)
        secrets = found if isinstance(found, SecretValues) else no_secrets()
        attempt = Attempt(
            key=effect.key,
            number=effect.attempt,
            deadline_at=effect.settles_at,
            run_id=effect.run_id,
        )
        keywords = probe.bind(call.checked.values, Supplies(attempt=attempt, secrets=secrets))
        try:
            told = await functions.run(
                probe.function,
                keywords,
                is_async=probe.signature.is_async,
                timeout_s=call.tool.contract.timeout_s,
                halt=self.acting.halt,
            )
            if isinstance(told, Happened):
                call.tool.results.dump(told.result)
        except functions.TooLate:
            return Unknown("the probe did not answer in time")
        except InvalidResult as error:
            return Unknown(f"the probe says that it happened, with no such result: {error}")
        except Exception as error:
            told_so = f"{type(error).__name__}: {error}"
            return Unknown(SecretRedactor(secrets.values()).text(told_so))
        if isinstance(told, Happened | DidNot | Unknown):
            return told
        return Unknown(f"the probe returned a `{type(cast(Any, told)).__name__}`")
