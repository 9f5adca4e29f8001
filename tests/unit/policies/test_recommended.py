"""The policy that is recommended: what it lets through, and what it asks about."""

import pytest

from penstock.contracts.policy import Taint
from penstock.contracts.tool import EffectClass
from penstock.policies import read_source
from support.checkout import ROOT
from support.policies import STRING, compiled, contract, person, request, short

FOLDER = ROOT / "examples" / "policies" / "recommended"
TOOLS = (
    contract("look", effect=EffectClass.READ, taints={Taint.UNTRUSTED}),
    contract("fetch", {"url": STRING}, effect=EffectClass.READ, tags={"egress"}),
    contract("note", {"text": STRING}),
    contract("send", {"to": STRING}, tags={"egress"}),
    contract("pay", {"to": STRING}, tags={"money"}),
    contract("invite", {"who": STRING}, tags={"access"}),
)
POLICY = compiled(source=read_source(FOLDER), contracts=TOOLS)


def said(tool: str, *, untrusted: bool, given: bool) -> str:
    """Return what the policy says of a call, on these grounds."""
    return short(POLICY.decide(request(tool, saw_untrusted=untrusted, all_given=given)))


@pytest.mark.parametrize("tool", [tool.name for tool in TOOLS])
@pytest.mark.parametrize("given", [True, False])
def test_nothing_is_asked_before_outsiders_were_read(tool: str, given: bool) -> None:  # noqa: FBT001  (a parameter of the test)
    assert said(tool, untrusted=False, given=given) == "allow calls"


@pytest.mark.parametrize(
    ("tool", "decision"),
    [
        ("look", "allow calls"),
        ("fetch", "ask egress"),
        ("note", "ask tainted"),
        ("send", "ask egress tainted"),
        ("pay", "ask money tainted"),
        ("invite", "ask access tainted"),
    ],
)
def test_what_the_user_has_not_said_is_asked_after_outsiders_were_read(
    tool: str, decision: str
) -> None:
    assert said(tool, untrusted=True, given=False) == decision


@pytest.mark.parametrize(
    ("tool", "decision"),
    [
        ("look", "allow calls"),
        ("fetch", "allow calls"),
        ("note", "allow calls"),
        ("send", "allow calls"),
        ("pay", "ask money"),
        ("invite", "ask access"),
    ],
)
def test_what_the_user_has_said_is_asked_only_where_money_or_access_is_at_stake(
    tool: str, decision: str
) -> None:
    assert said(tool, untrusted=True, given=True) == decision


def test_whoever_the_run_acts_for_may_answer() -> None:
    asked = request("pay", saw_untrusted=True)
    rules = POLICY.decide(asked).rules
    assert {rule.group for rule in rules} == {"operators"}
    assert all(rule.may_confirm_self for rule in rules)


def test_scopes_and_tenants_are_kept() -> None:
    scoped = contract("pay", {"to": STRING}, tags={"money"}, scopes={"payments"})
    policy = compiled(source=read_source(FOLDER), contracts=[*TOOLS[:4], scoped, TOOLS[5]])
    assert short(policy.decide(request("pay"))) == "deny scopes"
    assert short(policy.decide(request("note", who=person(tenant="other")))) == "deny tenant"
