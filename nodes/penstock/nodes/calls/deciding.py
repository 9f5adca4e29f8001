"""Deciding about a call: what its policy says, on the grounds that the runtime knows."""

import json
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from penstock.checkpoints import decisions
from penstock.contracts.call import Refused, Stage
from penstock.contracts.clock import Clock
from penstock.contracts.errors import InvalidPolicy, UnknownPolicy
from penstock.contracts.ids import IdempotencyKey, ThreadId
from penstock.contracts.policy import Decision, RecordedDecision, Request, Taint, Verdict
from penstock.contracts.redaction.fields import without_fields
from penstock.contracts.run import Run
from penstock.nodes.calls.call import ToolCall
from penstock.nodes.calls.given import Given, are_all
from penstock.nodes.calls.rulebook import Rulebook
from penstock.nodes.tools.arguments import Checked
from penstock.nodes.tools.tool import Tool
from penstock.policies import DenialReason, People
from penstock.policies.facts import FactError


class Deciding:
    """Decides about the calls of one run."""

    def __init__(
        self,
        run: Run,
        rulebook: Rulebook,
        people: People,
        clock: Clock,
        *,
        taints: Collection[Taint] = (),
    ) -> None:
        """Decide for `run`, whose graph begins with these taints."""
        self._run = run
        self._rulebook = rulebook
        self._people = people
        self._clock = clock
        self._taints = set(taints)
        # Who starts a run on what somebody else wrote has given none of it.
        self._given = Given("null" if Taint.UNTRUSTED in self._taints else run.input)

    def taint(self, taints: Collection[Taint]) -> None:
        """Take note of what the run has read, before the ledger has it."""
        self._taints.update(taints)

    def decide_call(self, connection: Connection, call: ToolCall) -> RecordedDecision | Refused:
        """Say what the policy says of a call on its way; as `decide`."""
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
        checked: Checked,
        *,
        key: IdempotencyKey,
        lineage: ThreadId,
    ) -> RecordedDecision | Refused:
        """Say what the policy says of a call; refused is what no policy can be asked about."""
        now = self._clock.now()
        found = self._grounds(connection, tool, checked, lineage, now)
        request = self._request(tool, checked, found, now)
        try:
            policy = self._rulebook.compiled(connection, found.policy_digest, tool.contract)
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
        checked: Checked,
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
        self, tool: Tool[Any], checked: Checked, found: decisions.CallFacts, now: datetime
    ) -> Request:
        """Return what is known of a call, but for the facts that its own contract names."""
        run = self._run
        args = without_fields(checked.canonical, tool.contract.sensitive)
        # What nobody is to be shown as well: without it, the rest of an argument might be given.
        said = json.loads(checked.canonical)
        given = self._given.names(said)
        taints = found.taints | self._taints
        facts: dict[str, object] = {
            "now": now.isoformat(timespec="milliseconds"),
            "weekday": now.isoweekday(),
            "spent_today": found.spent_minor,
            "calls_last_minute": found.calls_last_minute,
            "saw_untrusted": Taint.UNTRUSTED in taints,
            "saw_private": Taint.PRIVATE in taints,
            "given": given,
            "all_given": are_all(given, said, tool.contract.arguments_schema),
        }
        return Request(
            tool=tool.name,
            tool_version=tool.contract.version,
            tenant=run.tenant,
            principal=self._people.principal(run.principal, run.graph, run.tenant),
            args=args,
            facts=facts,
        )


def _midnight(now: datetime) -> datetime:
    return now - timedelta(
        hours=now.hour, minutes=now.minute, seconds=now.second, microseconds=now.microsecond
    )
