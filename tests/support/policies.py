"""Contracts, requests and policies for tests of decisions."""

from collections.abc import Collection, Iterable, Mapping

from penstock.contracts.policy import (
    Decision,
    Fact,
    FactType,
    PolicyFile,
    PolicySetName,
    PolicySource,
    Principal,
    Request,
    Taint,
)
from penstock.contracts.tool import EffectClass, ToolContract
from penstock.policies import CompiledPolicy, compile_policy, make_source

STRING = {"type": "string"}
NUMBER = {"type": "number"}
WHOLE = {"type": "integer"}


def contract(
    name: str,
    arguments: Mapping[str, object] | None = None,
    *,
    optional: Collection[str] = (),
    scopes: Collection[str] = (),
    tags: Collection[str] = (),
    taints: Collection[Taint] = (),
    facts: Mapping[str, Fact] | None = None,
    effect: EffectClass = EffectClass.UNSAFE,
    sensitive: Collection[str] = (),
    definitions: Mapping[str, object] | None = None,
) -> ToolContract:
    """Return a contract with some arguments, each by its JSON Schema."""
    arguments = arguments or {}
    return ToolContract(
        name=name,
        version="1",
        description=name,
        arguments_schema={
            "type": "object",
            "properties": dict(arguments),
            "required": [each for each in arguments if each not in optional],
            "$defs": dict(definitions or {}),
        },
        result_schema={},
        scopes=frozenset(scopes),
        tags=frozenset(tags),
        taints=frozenset(taints),
        facts=dict(facts or {}),
        effect=effect,
        sensitive=frozenset(sensitive),
    )


def told(kind: FactType, *, is_optional: bool = False) -> Fact:
    """Return what a contract says of a fact of this type."""
    return Fact(type=kind, is_optional=is_optional, description="a fact")


PAY = contract(
    "pay",
    {"amount": NUMBER, "currency": {"enum": ["EUR", "USD"]}, "to": STRING, "note": STRING},
    optional={"note"},
    scopes={"pay"},
    tags={"money"},
)
SEND_MAIL = contract(
    "send_mail",
    {"to": {"type": "array", "items": STRING}, "subject": STRING},
    scopes={"mail"},
    tags={"egress"},
    facts={"recipient_domains": told(FactType.TEXTS)},
)
WRITE_FILE = contract(
    "write_file", {"path": STRING}, tags={"fs"}, facts={"real_path": told(FactType.TEXT)}
)
FETCH = contract(
    "fetch",
    {"url": STRING},
    tags={"egress"},
    taints={Taint.UNTRUSTED},
    facts={"host": told(FactType.TEXT)},
    effect=EffectClass.READ,
)
SEARCH = contract(
    "search",
    {"word": STRING, "limit": WHOLE},
    optional={"limit"},
    taints={Taint.PRIVATE},
    effect=EffectClass.READ,
)
CONTRACTS = (PAY, SEND_MAIL, WRITE_FILE, FETCH, SEARCH)

QUIET: Mapping[str, object] = {
    "now": "2026-11-23T10:00:00Z",
    "weekday": 1,
    "spent_today": 0,
    "calls_last_minute": 0,
    "saw_untrusted": False,
    "saw_private": False,
    "given": [],
    "all_given": False,
}
"""The runtime's facts on a Monday morning on which nothing happened."""


def sets(*, allow: str | None = None, gates: str | None = None) -> PolicySource:
    """Return a policy of one file in each set that is given."""
    texts = {PolicySetName.ALLOW: allow, PolicySetName.GATES: gates}
    return make_source(
        PolicyFile(set=name, name=f"{name}.cedar", text=text)
        for name, text in texts.items()
        if text is not None
    )


def compiled(
    *,
    allow: str | None = None,
    gates: str | None = None,
    source: PolicySource | None = None,
    contracts: Iterable[ToolContract] = CONTRACTS,
    roles: Collection[str] | None = None,
    groups: Collection[str] | None = None,
) -> CompiledPolicy:
    """Return a policy that is ready to decide."""
    made = source or sets(allow=allow, gates=gates)
    return compile_policy(made, contracts, roles=roles, groups=groups)


def person(
    name: str = "ann",
    *,
    agent: str = "desk",
    tenant: str = "acme",
    roles: Collection[str] = ("clerk",),
    groups: Collection[str] = (),
    scopes: Collection[str] = ("pay", "mail"),
) -> Principal:
    """Return a clerk of acme, who may pay and send mail."""
    return Principal(
        user=name,
        agent=agent,
        tenant=tenant,
        roles=frozenset(roles),
        groups=frozenset(groups),
        scopes=frozenset(scopes),
    )


def request(
    tool: str,
    args: Mapping[str, object] | None = None,
    *,
    who: Principal | None = None,
    tenant: str = "acme",
    **facts: object,
) -> Request:
    """Return a request of a run of acme."""
    return Request(
        tool=tool,
        tool_version="1",
        tenant=tenant,
        principal=who or person(),
        args=args or {},
        facts={**QUIET, **facts},
    )


def short(decision: Decision) -> str:
    """Return a decision as `deny pay-ceiling`."""
    return " ".join([decision.verdict, *decision.reasons])
