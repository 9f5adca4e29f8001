"""Authorization: a policy decides about a call, and an approval is bound to exactly that call."""

import hashlib
import json
import threading
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from penstock.checkpoints import decisions, policies
from penstock.contracts.call import Refused, Stage
from penstock.contracts.clock import Clock
from penstock.contracts.errors import InvalidPolicy, UnknownPolicy
from penstock.contracts.ids import GateId, IdempotencyKey, ThreadId
from penstock.contracts.policy import Decision, RecordedDecision, Request, Taint, Verdict
from penstock.contracts.redaction import without_fields
from penstock.contracts.run import Run
from penstock.contracts.tool import ToolContract
from penstock.nodes.calls.call import ToolCall
from penstock.nodes.calls.provenance import RunInput, are_all_given
from penstock.nodes.tools.arguments import CheckedArguments, canonical_json
from penstock.nodes.tools.tool import Tool
from penstock.policies import CompiledPolicy, DenialReason, People, compile_policy
from penstock.policies.facts import FactError

_VERSION_LIMIT = 8
"""The number of versions that stay compiled: the one that decides, and those around a roll-back."""


class PolicyCache:
    """The compiled versions of one graph's policy; each is compiled when it first decides.

    The store says which version decides. May be used from any thread.
    """

    def __init__(self, graph: str, contracts: Iterable[ToolContract], people: People) -> None:
        """Compile for calls of these tools, and of others as they are called."""
        self.graph = graph
        self._contracts = {contract.name: contract for contract in contracts}
        self._people = people
        self._compiled: dict[str, CompiledPolicy] = {}
        self._lock = threading.Lock()

    def compiled(
        self, connection: Connection, digest: str, contract: ToolContract
    ) -> CompiledPolicy:
        """Return the version that decides now, which has this digest, for calls of a tool.

        Raises:
            InvalidPolicy: The version does not fit the tools of this process.
            UnknownPolicy: No version was ever loaded.
        """
        with self._lock:
            self._add(contract)
            known = self._compiled.get(digest)
            if known is None:
                known = self._compile(connection)
                if len(self._compiled) >= _VERSION_LIMIT:
                    self._compiled.pop(next(iter(self._compiled)))
                self._compiled[known.digest] = known
            return known

    def _add(self, contract: ToolContract) -> None:
        """Add a tool that the graph was not declared with: its nodes may call it all the same."""
        known = self._contracts.get(contract.name)
        if known is None:
            self._contracts[contract.name] = contract
            self._compiled.clear()
        elif known != contract:
            raise InvalidPolicy(
                f"two tools are named `{contract.name}`, and a policy could not tell them apart;"
                " rename one"
            )

    def _compile(self, connection: Connection) -> CompiledPolicy:
        version = policies.active(connection, self.graph)
        people, contracts = self._people, tuple(self._contracts.values())
        return compile_policy(version.source, contracts, roles=people.roles, groups=people.groups)


class Authorizer:
    """Has the policy of a graph decide about the calls of one run."""

    def __init__(
        self,
        run: Run,
        cache: PolicyCache,
        people: People,
        clock: Clock,
        *,
        taints: Collection[Taint] = (),
    ) -> None:
        """Decide for `run`, whose graph begins with these taints."""
        self._run = run
        self._cache = cache
        self._people = people
        self._clock = clock
        self._taints = set(taints)
        # A caller who starts a run on what somebody else wrote has not written any of it.
        self._input = RunInput("null" if Taint.UNTRUSTED in self._taints else run.input)

    def add_taints(self, taints: Collection[Taint]) -> None:
        """Remember what the run has read, before the ledger has recorded it."""
        self._taints.update(taints)

    def decide_call(self, connection: Connection, call: ToolCall) -> RecordedDecision | Refused:
        """Decide about a call that was admitted; as `decide`."""
        return self.decide(
            connection,
            call.tool,
            call.checked,
            key=call.effect.key,
            lineage=call.effect.lineage,
        )

    def decide(
        self,
        connection: Connection,
        tool: Tool[Any],
        checked: CheckedArguments,
        *,
        key: IdempotencyKey,
        lineage: ThreadId,
    ) -> RecordedDecision | Refused:
        """Return what the policy decides; a refusal where no policy can be asked."""
        now = self._clock.now()
        found = self._grounds(connection, tool, checked, lineage, now)
        request = self._request(tool, checked, found, now)
        try:
            policy = self._cache.compiled(connection, found.policy_digest, tool.contract)
            facts = {**request.facts, **tool.computed_facts(checked)}
        except (InvalidPolicy, UnknownPolicy) as error:
            return Refused(
                stage=Stage.POLICY,
                code="policy_unusable",
                message=f"nothing is allowed without a policy: {error}",
            )
        except FactError as error:
            decision = Decision(
                verdict=Verdict.DENY, reasons=(DenialReason.FACT,), message=f"It is denied. {error}"
            )
        else:
            request = replace(request, facts=facts)
            decision = policy.decide(request)
        return RecordedDecision(
            tenant=self._run.tenant,
            run_id=self._run.id,
            graph=self._run.graph,
            effect_key=key,
            policy_digest=found.policy_digest,
            request=request,
            decision=decision,
            at=now,
        )

    def _grounds(
        self,
        connection: Connection,
        tool: Tool[Any],
        checked: CheckedArguments,
        lineage: ThreadId,
        now: datetime,
    ) -> decisions.CallFacts:
        run = self._run
        spend = tool.spend(checked)
        return decisions.call_facts(
            connection,
            graph=run.graph,
            tenant=run.tenant,
            tool=tool.name,
            lineage=lineage,
            currency=None if spend is None else spend.currency,
            day=_midnight(now),
        )

    def _request(
        self, tool: Tool[Any], checked: CheckedArguments, found: decisions.CallFacts, now: datetime
    ) -> Request:
        """Return the request about a call, without the facts that its own contract names."""
        run = self._run
        args = without_fields(checked.canonical, tool.contract.sensitive)
        # The hidden fields too: without them, the rest of an argument might count as given.
        arguments = json.loads(checked.canonical)
        given = self._input.given_names(arguments)
        taints = found.taints | self._taints
        facts: dict[str, object] = {
            "now": now.isoformat(timespec="milliseconds"),
            "weekday": now.isoweekday(),
            "spent_today": found.spent_minor,
            "calls_last_minute": found.calls_last_minute,
            "saw_untrusted": Taint.UNTRUSTED in taints,
            "saw_private": Taint.PRIVATE in taints,
            "given": given,
            "all_given": are_all_given(given, arguments, tool.contract.arguments_schema),
        }
        return Request(
            tool=tool.name,
            tool_version=tool.contract.version,
            tenant=run.tenant,
            principal=self._people.principal(run.principal, run.graph, run.tenant),
            args=args,
            facts=facts,
        )


def binding_of(run: Run, digest: str, decided: RecordedDecision) -> str:
    """Return the digest that an approval of a call is bound to, in 64 hex digits.

    It differs with the run, the call's place in it, the arguments, the version of the tool, of the
    policy and of the graph, and the principal: an approval is of exactly the call that people were
    shown.

    Args:
        run: The run that makes the call.
        digest: The digest of the tool and the arguments.
        decided: What was decided about the call.
    """
    request = decided.request
    return _digest(
        [
            run.tenant,
            run.id,
            decided.effect_key,
            request.tool,
            request.tool_version,
            digest,
            decided.policy_digest,
            run.fingerprint,
            request.principal.user,
            request.principal.agent,
        ]
    )


def gate_id_of(key: IdempotencyKey, binding: str, count: int) -> GateId:
    """Return the id of the next gate that asks for an approval with this binding, after `count`."""
    return GateId(_digest([key, binding, count])[:32])


def _midnight(now: datetime) -> datetime:
    return now - timedelta(
        hours=now.hour, minutes=now.minute, seconds=now.second, microseconds=now.microsecond
    )


def _digest(parts: list[object]) -> str:
    return hashlib.sha256(canonical_json(parts).encode()).hexdigest()
