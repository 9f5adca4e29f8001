"""Two sets of policies as Cedar holds them, and what they say of a request."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from cedarpy import pst

from penstock.contracts.errors import InvalidPolicy
from penstock.contracts.policy import (
    DenialReason,
    GateRule,
    PolicySetName,
    Principal,
    Request,
    Verdict,
)
from penstock.policies import cedar
from penstock.policies.annotations import gate_rule
from penstock.policies.cedar_schema import ToolShape, schema_json
from penstock.policies.lint import NO_CALL
from penstock.policies.references import nodes_of, references_of, tools_of
from penstock.policies.statements import Parsed
from penstock.policies.values import CedarValue, TooLarge, Unfit, fact_value, record_value

PRINCIPALS_KEPT = 256
"""How many principals are kept as Cedar has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What two sets say of a request."""

    verdict: Verdict
    reasons: tuple[str, ...]
    """What decided: ids of policies, or a `DenialReason`."""
    matched: tuple[str, ...] = ()
    """The ids of all policies that matched."""
    rules: tuple[GateRule, ...] = ()
    why: str = ""
    """What went wrong, as the end of a sentence; empty where nothing did."""


class Judge:
    """Judges requests by some policies.

    It gives Cedar no argument and no fact that none of the policies looks at: what they do not look
    at can be as long or as large as it likes, and costs nothing.
    """

    def __init__(self, policies: Sequence[Parsed], tools: Sequence[ToolShape]) -> None:
        """Hand policies that were found to be sound to Cedar, once.

        Raises:
            InvalidPolicy: They are not, without what none of them looks at.
        """
        self._tools = {tool.name: _seen(policies, tool) for tool in tools}
        self._schema = cedar.Schema.from_json_str(schema_json(tuple(self._tools.values())))
        self._ordered = tuple(policies)
        text = "\n".join(policy.statement.text for policy in policies)
        self._handle = cedar.PolicySet.from_str(text)
        self._policies = _by_key(self._handle, policies)
        if wrong := [said for said in cedar.validate(text, self._schema) if NO_CALL not in said]:
            raise InvalidPolicy(f"{_OWN_FAULT}: {wrong[0]}. {_REPORT}")
        self._rules = {
            policy.id: gate_rule(policy.tree.annotations)
            for policy in policies
            if policy.statement.set is PolicySetName.GATES
        }
        named = {entity for policy in policies for entity in pst.entity_uids(policy.tree)}
        self._circles = tuple(
            sorted((kind, uid.id) for uid in named if (kind := uid.type.basename) in _CIRCLES)
        )
        self._scopes = _words_in(policies).union(*(tool.scopes for tool in tools))
        # Bounded: a principal is whoever comes, and they come for as long as the process lives.
        self._entities = lru_cache(PRINCIPALS_KEPT)(self._entities_of)

    def judge(self, request: Request) -> Judgement:
        """Return what the policies say of a request; whatever goes wrong is a deny."""
        try:
            asked, entities = self._question(request), self._entities(request.principal)
            answer = cedar.authorize(self._handle, self._schema, entities, request=asked)
        except TooLarge as error:
            return _denied(DenialReason.TOO_LARGE, str(error))
        except Unfit as error:
            return _denied(DenialReason.UNFIT, str(error))
        except Exception as error:  # a call that nobody could judge is denied
            return _denied(DenialReason.ERROR, f"Cedar failed with {type(error).__name__}")
        if answer.errors:
            return self._error(answer.errors[0])
        # Both sets are asked at once, for half the cost. Cedar names every permit that matched:
        # those of the gates are not permits of ours, so without another the call is denied.
        deciding = self._ids(answer.matched, PolicySetName.ALLOW)
        asking = self._ids(answer.matched, PolicySetName.GATES)
        if not answer.is_allowed or not deciding:
            return Judgement(verdict=Verdict.DENY, reasons=deciding, matched=deciding)
        return Judgement(
            verdict=Verdict.ASK if asking else Verdict.ALLOW,
            reasons=asking or deciding,
            matched=deciding + asking,
            rules=tuple(self._rules[name] for name in asking),
        )

    def _ids(self, keys: Sequence[str], name: PolicySetName) -> tuple[str, ...]:
        """Return the ids of a set's policies among these, in the order in which they stand."""
        places = sorted(self._policies[key] for key in keys)
        found = (self._ordered[place] for place in places)
        return tuple(policy.id for policy in found if policy.statement.set is name)

    def _error(self, said: str) -> Judgement:
        """Return the deny that an error comes to."""
        found = _ERRING.search(said)
        place = self._policies.get(found.group(1)) if found else None
        if place is None:
            return _denied(DenialReason.ERROR, "the request does not fit the policy's schema")
        name = self._ordered[place].id
        why = f"`{name}` could not be evaluated"
        return Judgement(verdict=Verdict.DENY, reasons=(DenialReason.ERROR, name), why=why)

    def _question(self, request: Request) -> dict[str, object]:
        tool = self._tools[request.tool]
        context = {
            "agent": {"__entity": cedar.uid("Agent", request.principal.agent)},
            "args": record_value(request.args, tool.args, "args"),
            "facts": _facts(request.facts, tool),
        }
        return {
            "principal": cedar.uid("User", request.principal.user),
            "action": cedar.uid("Action", request.tool),
            "resource": cedar.uid("Tenant", request.tenant),
            # As text, so that cedarpy does not copy the request.
            "context": json.dumps(context),
        }

    def _entities_of(self, principal: Principal) -> cedar.Entities:
        circles = {("Role", name) for name in principal.roles}
        circles |= {("Group", name) for name in principal.groups}
        if principal.has_every_role:
            circles.update(self._circles)
        scopes = principal.scopes | self._scopes if principal.has_every_scope else principal.scopes
        user: dict[str, object] = {
            "uid": cedar.uid("User", principal.user),
            "attrs": {
                "tenant": {"__entity": cedar.uid("Tenant", principal.tenant)},
                "scopes": sorted(scopes),
            },
            "parents": [cedar.uid(kind, name) for kind, name in sorted(circles)],
        }
        return cedar.entities([user], self._schema)


_CIRCLES = frozenset({"Role", "Group"})
_OWN_FAULT = "The policies are sound one by one, and not together"
_REPORT = "That is a fault of Penstock's own; please report it."
_ERRING = re.compile(r"`(policy\d+)`")


def _by_key(handle: cedar.PolicySet, policies: Sequence[Parsed]) -> dict[str, int]:
    """Return the place of each policy by the key that Cedar gave it."""
    places = {policy.id: place for place, policy in enumerate(policies)}
    read = handle.to_pst().static_policies
    found = {key: places[tree.annotations["id"]] for key, tree in read.items()}
    if len(found) != len(policies):
        raise InvalidPolicy(f"{_OWN_FAULT}: Cedar counts {len(found)} of them. {_REPORT}")
    return found


def _denied(reason: DenialReason, why: str) -> Judgement:
    return Judgement(verdict=Verdict.DENY, reasons=(reason,), why=why)


def _facts(given: Mapping[str, object], tool: ToolShape) -> dict[str, CedarValue]:
    found: dict[str, CedarValue] = {}
    for name, kind in tool.runtime_facts.items():
        found[name] = fact_value(given.get(name), kind, f"facts.{name}")
    for name, fact in tool.facts.items():
        value = given.get(name)
        if value is not None or not fact.is_optional:
            found[name] = fact_value(value, fact.type, f"facts.{name}")
    return found


def _seen(policies: Sequence[Parsed], tool: ToolShape) -> ToolShape:
    """Return what the policies see of a tool's calls: what any of them looks at."""
    looks = [references_of(policy.tree) for policy in policies if tools_of(policy.tree, (tool,))]
    return tool.seeing(_all(each.args for each in looks), _all(each.facts for each in looks))


def _all(looks: Iterable[frozenset[str] | None]) -> frozenset[str] | None:
    """Return all these names; None where any looks at everything."""
    names: frozenset[str] = frozenset()
    for each in looks:
        if each is None:
            return None
        names |= each
    return names


def _words_in(policies: Sequence[Parsed]) -> frozenset[str]:
    """Return every text in the conditions: a scope that a policy asks for is among them."""
    return frozenset(
        node.value
        for policy in policies
        for node in nodes_of(policy.tree.clauses)
        if isinstance(node, pst.StringLit)
    )
