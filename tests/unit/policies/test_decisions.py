"""The table of decisions: one policy, and what it says of each call."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from penstock.contracts.policy import Fact, FactType, Principal, Request, Verdict
from penstock.policies import CompiledPolicy, OpenDirectory, builtin_policy
from penstock.policies.facts import Extractor, FactError, compute_facts, real_path
from penstock.policies.facts import recipient_domains as domains_of
from support.policies import CONTRACTS, WHOLE, compiled, contract, person, request, short

ALLOW = """
@id("pay-clerks")
permit (principal in Penstock::Role::"clerk", action == Penstock::Action::"pay", resource);

@id("pay-ceiling")
forbid (principal, action == Penstock::Action::"pay", resource)
when { context.args.amount.greaterThan(decimal("10000.0")) };

@id("pay-something")
forbid (principal, action == Penstock::Action::"pay", resource)
unless { context.args.amount.greaterThan(decimal("0.0")) };

@id("pay-hours")
forbid (principal, action in Penstock::Action::"tag_money", resource)
unless {
  context.facts.now.toTime() >= duration("8h") && context.facts.now.toTime() < duration("18h")
  && context.facts.weekday <= 5
};

@id("pay-not-from-reading")
forbid (principal, action in Penstock::Action::"tag_money", resource)
when { context.facts.saw_untrusted && !context.facts.given.contains("to") };

@id("pay-desk-alone")
forbid (principal, action == Penstock::Action::"pay", resource)
unless { context.agent == Penstock::Agent::"desk" };

@id("pay-no-note")
forbid (principal, action == Penstock::Action::"pay", resource)
when { context.args has note && context.args.note like "*refund*" };

@id("mail")
permit (principal, action == Penstock::Action::"send_mail", resource)
when { principal.scopes.contains("mail") };

@id("no-leak")
forbid (principal, action in Penstock::Action::"tag_egress", resource)
when { context.facts.saw_untrusted && context.facts.saw_private }
unless {
  context.facts has recipient_domains
  && ["ourco.com"].containsAll(context.facts.recipient_domains)
};

@id("files")
permit (principal, action == Penstock::Action::"write_file", resource)
when { context.facts.real_path like "/srv/*" };

@id("web")
permit (principal, action == Penstock::Action::"fetch", resource)
when { context.facts.calls_last_minute < 30 && context.facts.host == "docs.ourco.com" };

@id("search")
permit (principal, action == Penstock::Action::"search", resource)
when { if context.args has limit then context.args.limit <= 100 else true };

@id("new-web")
@mode("shadow")
forbid (principal, action == Penstock::Action::"fetch", resource)
when { context.facts.saw_private };

@id("new-search")
@mode("shadow")
permit (principal, action == Penstock::Action::"search", resource)
when { context.args has limit && context.args.limit <= 1000 };
"""

GATES = """
@id("big-pay") @gate("finance") @approvals("2") @expires("PT4H")
permit (principal, action == Penstock::Action::"pay", resource)
when { context.args.amount.greaterThan(decimal("500.0")) };

@id("much-today") @gate("finance")
permit (principal, action in Penstock::Action::"tag_money", resource)
when { context.facts.spent_today > 200000 };

@id("tainted-pay") @gate("security")
permit (principal, action in Penstock::Action::"tag_money", resource)
when { context.facts.saw_untrusted };

@id("mail-outside") @gate("comms")
permit (principal, action == Penstock::Action::"send_mail", resource)
unless { ["ourco.com", "partner.com"].containsAll(context.facts.recipient_domains) };

@id("new-gate") @gate("comms") @mode("shadow")
permit (principal, action == Penstock::Action::"send_mail", resource)
when { context.facts.saw_private };
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A call, and what the policy says of it."""

    id: str
    wanted: str
    tool: str = "pay"
    args: Mapping[str, object] = field(default_factory=dict[str, object])
    facts: Mapping[str, object] = field(default_factory=dict[str, object])
    who: Principal = field(default_factory=person)
    tenant: str = "acme"


def pay(amount: object, **more: object) -> dict[str, object]:
    return {"amount": amount, "currency": "EUR", "to": "DE1", **more}


def mail(case: str, wanted: str, *to: str, who: Principal | None = None, **facts: object) -> Case:
    domains = compute_facts({"recipient_domains": domains_of("to")}, {"to": list(to)})
    return Case(
        id=case,
        wanted=wanted,
        tool="send_mail",
        args={"to": list(to), "subject": "s"},
        facts={**domains, **facts},
        who=who or person(),
    )


def paid(case: str, wanted: str, amount: object = 100, **facts: object) -> Case:
    return Case(id=case, wanted=wanted, args=pay(amount), facts=facts)


def by(case: str, wanted: str, who: Principal, **more: Any) -> Case:
    return Case(id=case, wanted=wanted, args=pay(100), who=who, **more)


def fetched(case: str, wanted: str, host: str = "docs.ourco.com", **facts: object) -> Case:
    return Case(
        id=case, wanted=wanted, tool="fetch", args={"url": "u"}, facts={"host": host, **facts}
    )


def searched(case: str, wanted: str, **args: object) -> Case:
    return Case(id=case, wanted=wanted, tool="search", args={"word": "w", **args})


def written(case: str, wanted: str, path: str) -> Case:
    facts = compute_facts({"real_path": real_path("path")}, {"path": path})
    return Case(id=case, wanted=wanted, tool="write_file", args={"path": path}, facts=facts)


CASES = [
    # Amounts.
    paid("a clerk pays a little", "allow pay-clerks"),
    paid("up to the gate's limit nobody is asked", "allow pay-clerks", 500),
    paid("beyond it finance is asked", "ask big-pay", 500.0001),
    paid("an amount with decimals is compared as one", "ask big-pay", 900.5),
    paid("up to the ceiling finance is asked", "ask big-pay", 10_000),
    paid("beyond the ceiling nobody can approve it", "deny pay-ceiling", 20_000),
    paid("ASI02 a huge amount is denied", "deny pay-ceiling", 922337203685477),
    paid("ASI02 an amount beyond decimals is denied", "deny too_large", 922337203685478),
    paid("ASI02 an amount beyond 64 bits is denied", "deny too_large", 10**30),
    paid("ASI02 an amount beyond all floats is denied", "deny too_large", 1e300),
    paid("an amount finer than a decimal is denied", "deny too_large", 1.00001),
    paid("a negative amount is denied", "deny pay-something", -5),
    paid("a hugely negative amount is denied", "deny pay-something", -900_000_000_000),
    paid("one beyond decimals is denied on that side too", "deny too_large", -(10**30)),
    paid("nothing is no amount to pay", "deny pay-something", 0),
    paid("minus nothing is nothing", "deny pay-something", -0.0),
    paid("the least amount is one", "allow pay-clerks", 0.0001),
    paid("a text is no amount", "deny unfit", "100"),
    paid("a truth is no amount", "deny unfit", amount=True),
    paid("an amount that is no number is denied", "deny unfit", float("nan")),
    paid("an amount without an end is denied", "deny unfit", float("inf")),
    Case(id="a missing amount is denied", wanted="deny unfit", args={"currency": "EUR"}),
    # Time and spend.
    paid("before the day begins nothing is paid", "deny pay-hours", now="2026-11-23T07:59:59Z"),
    paid("from its first moment on it is", "allow pay-clerks", now="2026-11-23T08:00:00Z"),
    paid("its last moment is the end", "deny pay-hours", now="2026-11-23T18:00:00Z"),
    paid("an hour elsewhere is one of ours", "allow pay-clerks", now="2026-11-23T19:00:00+09:00"),
    paid("on Saturday nothing is paid", "deny pay-hours", weekday=6),
    paid("an instant without a zone is denied", "deny unfit", now="2026-11-23T10:00:00"),
    paid("an instant that is none is denied", "deny unfit", now="soon"),
    paid("who has spent much is asked", "ask much-today", 5, spent_today=250_000),
    paid("two gates are asked at once", "ask big-pay much-today", 900, spent_today=250_000),
    paid("spend beyond 64 bits is denied", "deny too_large", 5, spent_today=2**63),
    # Who.
    by("ASI03 without the role nothing permits it", "deny", person(roles=())),
    by("ASI03 a role of the like name is another", "deny", person(roles=("clerks",))),
    by("ASI03 without its scope a tool is denied", "deny scopes", person(scopes=("mail",))),
    by("ASI03 another tenant's user is denied", "deny tenant", person(tenant="evil")),
    by("ASI03 nor may ours act for another", "deny tenant", person(), tenant="evil"),
    by("ASI03 no tenant is no tenant's", "deny tenant", person(tenant=""), tenant=""),
    by("ASI03 an agent that a policy does not name is denied", "deny pay-desk-alone",
       person(agent="other")),
    by("who may do everything may do this", "allow pay-clerks",
       OpenDirectory().principal("ann", "desk", "acme")),
    by("who may do everything is held to a ceiling all the same", "allow pay-clerks",
       OpenDirectory().principal('an"n\\', "desk", "acme")),
    # Taint.
    paid("ASI01 what was read does not choose who is paid", "deny pay-not-from-reading",
         saw_untrusted=True),
    paid("ASI01 what the user gave may be paid once approved", "ask tainted-pay",
         saw_untrusted=True, given=["to", "amount"]),
    paid("ASI01 and every gate that matches is asked", "ask big-pay tainted-pay", 900,
         saw_untrusted=True, given=["to"]),
    paid("ASI01 an order in a stranger's mail is not ours", "deny pay-not-from-reading", 900,
         saw_untrusted=True, given=["amount"]),
    # Mail.
    mail("mail to a colleague is sent", "allow mail", "bo@ourco.com"),
    mail("mail to nobody is sent to nobody", "allow mail"),
    mail("mail outside is asked about", "ask mail-outside", "bo@ourco.com", "e@evil.example"),
    mail("ASI01 after both readings mail stays inside", "deny no-leak", "e@evil.example",
         saw_untrusted=True, saw_private=True),
    mail("after both readings a colleague may be told", "allow mail", "bo@ourco.com",
         saw_untrusted=True, saw_private=True),
    mail("after one reading a stranger is asked about", "ask mail-outside", "e@evil.example",
         saw_untrusted=True),
    mail("ASI07 one stranger among colleagues is one", "deny no-leak", "a@ourco.com",
         "e@evil.example", saw_untrusted=True, saw_private=True),
    mail("ASI09 a Cyrillic look-alike is not our domain", "ask mail-outside", "bo@оurco.com"),  # noqa: RUF001  (the point)
    mail("ASI09 nor is it after both readings", "deny no-leak", "bo@ourсo.com",  # noqa: RUF001  (the point)
         saw_untrusted=True, saw_private=True),
    mail("full-width letters are our domain", "allow mail", "bo@ｏｕｒｃｏ.com"),  # noqa: RUF001  (the point)
    mail("a capital is no other domain", "allow mail", "Bo <bo@OurCo.COM.>"),
    mail("a domain below ours is another", "ask mail-outside", "bo@ourco.com.evil.example"),
    mail("without its scope no mail is sent", "deny scopes", "a@ourco.com",
         who=person(scopes=("pay",))),
    Case(id="mail without its fact is denied", wanted="deny unfit", tool="send_mail",
         args={"to": [], "subject": "s"}),
    # Paths.
    written("a file in its folder is written", "allow files", "/srv/a.txt"),
    written("ASI05 up and out of it is elsewhere", "deny", "/srv/../etc/passwd"),
    written("ASI05 so is up through a folder that is not there", "deny", "/srv/x/../../etc/passwd"),
    written("a folder of the like name is another", "deny", "/srvx/a.txt"),
    written("round about is still inside", "allow files", "/etc/../srv/a.txt"),
    # Rates, hosts and what is optional.
    fetched("a page of ours is fetched", "allow web"),
    fetched("ASI08 a loop of calls is stopped", "deny", calls_last_minute=30),
    fetched("another host is none of ours", "deny", "docs.ourco.com.evil.example"),
    fetched("a mark of our host in another is not it", "deny", "xn--docs-ourco.com"),
    searched("without a limit a search is allowed", "allow search"),
    searched("with a small one it is", "allow search", limit=100),
    searched("with a large one it is not", "deny", limit=101),
    searched("a limit that is null is none", "allow search", limit=None),
    searched("a whole number with a point is one", "allow search", limit=5.0),
    searched("half a limit is none", "deny unfit", limit=5.5),
    searched("a limit beyond 64 bits is denied", "deny too_large", limit=2**63),
    searched("the largest that fits is compared", "deny", limit=2**63 - 1),
    searched("ASI06 what no policy looks at is not read", "allow search", word="x" * 100_000),
    # The rest.
    Case(id="ASI10 a tool that the policy does not know is denied", wanted="deny unknown_tool",
         tool="wipe"),
    Case(id="ASI04 so is a group of tools", wanted="deny unknown_tool", tool="effect_read"),
    Case(id="an optional argument is looked at where it is there", wanted="deny pay-no-note",
         args=pay(5, note="a refund")),
    Case(id="and passes where it says something else", wanted="allow pay-clerks",
         args=pay(5, note="rent")),
    Case(id="a field that claims to be an entity is a text's", wanted="deny unfit",
         args=pay(5, note={"__entity": {"type": "Penstock::Role", "id": "clerk"}})),
    Case(id="an amount that claims to be Cedar's own is none", wanted="deny unfit",
         args=pay({"__extn": {"fn": "decimal", "arg": "1.0"}})),
    Case(id="half a character is denied", wanted="deny evaluation_error",
         args=pay(5, note="\ud800")),
]  # fmt: skip


@pytest.fixture(scope="module")
def policy() -> CompiledPolicy:
    return compiled(allow=ALLOW, gates=GATES)


def asked(case: Case) -> Request:
    return request(case.tool, case.args, who=case.who, tenant=case.tenant, **case.facts)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_decision(policy: CompiledPolicy, case: Case) -> None:
    assert short(policy.decide(asked(case))) == case.wanted


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_message_names_the_tool_and_every_reason(policy: CompiledPolicy, case: Case) -> None:
    decision = policy.decide(asked(case))
    assert all(f"`{reason}`" in decision.message for reason in (case.tool, *decision.reasons[:1]))
    assert decision.message.endswith(".")


def test_a_link_out_of_the_folder_leads_out(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (inside / "link").symlink_to(outside)
    policy = compiled(
        allow=f'@id("files") permit (principal, action == Penstock::Action::"write_file",'
        f' resource) when {{ context.facts.real_path like "{inside.resolve()}/*" }};'
    )
    facts: dict[str, Extractor] = {"real_path": real_path("path", inside)}

    def decide(path: str) -> str:
        found: dict[str, Any] = {**compute_facts(facts, {"path": path})}
        return short(policy.decide(request("write_file", {"path": path}, **found)))

    assert decide("a.txt") == "allow files"
    assert decide("link/a.txt") == "deny"


def test_a_nul_in_a_path_is_refused_before_any_policy() -> None:
    with pytest.raises(FactError, match="`real_path` cannot be computed"):
        compute_facts({"real_path": real_path("path")}, {"path": "/srv/a\0/../../etc/passwd"})


# Shadow mode.


def shadowed(policy: CompiledPolicy, case: Case) -> tuple[str, Verdict | None, tuple[str, ...]]:
    decision = policy.decide(asked(case))
    return short(decision), decision.shadow, decision.shadow_reasons


def test_a_forbid_in_shadow_is_told_and_forbids_nothing(policy: CompiledPolicy) -> None:
    case = fetched("", "", saw_private=True)
    assert shadowed(policy, case) == ("allow web", Verdict.DENY, ("new-web",))


def test_a_permit_in_shadow_is_told_and_permits_nothing(policy: CompiledPolicy) -> None:
    case = searched("", "", limit=500)
    assert shadowed(policy, case) == ("deny", Verdict.ALLOW, ("new-search",))


def test_a_gate_in_shadow_is_told_and_asks_nobody(policy: CompiledPolicy) -> None:
    case = mail("", "", "bo@ourco.com", saw_private=True)
    assert shadowed(policy, case) == ("allow mail", Verdict.ASK, ("new-gate",))


def test_a_second_gate_in_shadow_is_told_beside_the_first(policy: CompiledPolicy) -> None:
    case = mail("", "", "e@evil.example", saw_private=True)
    assert shadowed(policy, case) == ("ask mail-outside", Verdict.ASK, ("new-gate",))


def test_where_shadow_makes_no_difference_nothing_is_told(policy: CompiledPolicy) -> None:
    assert shadowed(policy, fetched("", "")) == ("allow web", None, ())


def test_what_a_shadow_policy_alone_looks_at_denies_nothing() -> None:
    policy = compiled(
        allow='@id("search") permit (principal, action == Penstock::Action::"search", resource);'
        '@id("new") @mode("shadow") forbid (principal, action == Penstock::Action::"search",'
        " resource) when { context.args has limit && context.args.limit > 5 };"
    )
    case = searched("", "", limit=2**70)
    assert shadowed(policy, case) == ("allow search", Verdict.DENY, ("too_large",))


# What a gate asks for.


def test_the_annotations_of_a_gate_come_to_its_rule(policy: CompiledPolicy) -> None:
    (rule,) = policy.decide(asked(paid("", "", 900))).rules
    assert (rule.id, rule.group, rule.approval_count, rule.expires_s) == (
        "big-pay", "finance", 2, 4 * 60 * 60.0,
    )  # fmt: skip


def test_all_that_a_gate_may_say_comes_to_its_rule() -> None:
    policy = compiled(
        allow='@id("a") permit (principal, action, resource);',
        gates='@id("g") @gate("x") @approvals("12") @expires("P1DT2H3M4S") @on_expiry("fail")'
        '@self("allowed") @escalate_after("PT90S") @escalate_to("y")'
        "permit (principal, action, resource);",
    )
    (rule,) = policy.decide(asked(searched("", ""))).rules
    assert (rule.approval_count, rule.expires_s, rule.on_expiry) == (12, 93_784.0, "fail")
    assert (rule.may_confirm_self, rule.escalates_s, rule.escalates_to) == (True, 90.0, "y")


# Errors.


def test_an_overflow_in_a_permit_denies() -> None:
    policy = compiled(
        allow='@id("all") permit (principal, action, resource);'
        '@id("sum") permit (principal, action == Penstock::Action::"search", resource)'
        "when { context.args has limit && context.args.limit * 100 > 5000 };"
    )
    assert short(policy.decide(asked(searched("", "", limit=2**62)))) == "deny evaluation_error sum"


def test_a_library_that_fails_denies(
    policy: CompiledPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("gone")

    monkeypatch.setattr("penstock.policies.cedar.authorize", fail)
    assert short(policy.decide(asked(searched("", "")))) == "deny evaluation_error"


def test_a_number_that_no_policy_looks_at_can_be_what_it_likes() -> None:
    policy = compiled(allow='@id("all") permit (principal, action, resource);')
    assert short(policy.decide(asked(paid("", "", 1.23456)))) == "allow all"


def test_a_number_beside_one_that_a_policy_looks_at_can_be_what_it_likes() -> None:
    policy = compiled(
        allow='@id("a") permit (principal, action == Penstock::Action::"pay", resource)'
        ' when { context.args.to == "DE1" && context.args["currency"] == "EUR" };'
        '@id("b") permit (principal, action == Penstock::Action::"search", resource)'
        " when { context.args has limit };"
    )
    assert short(policy.decide(asked(paid("", "", 1.23456)))) == "allow a"
    assert short(policy.decide(asked(searched("", "", limit=2**70)))) == "deny too_large"


def test_what_one_of_several_policies_looks_at_is_looked_at() -> None:
    policy = compiled(
        allow='@id("a") permit (principal, action == Penstock::Action::"pay", resource)'
        ' when { context.args.amount.lessThan(decimal("500.0")) };'
        '@id("b") forbid (principal, action == Penstock::Action::"pay", resource)'
        " when { context.facts.spent_today > 5 };"
    )
    assert short(policy.decide(asked(paid("", "", 1)))) == "allow a"
    assert short(policy.decide(asked(paid("", "", 1.23456)))) == "deny too_large"
    assert short(policy.decide(asked(paid("", "", 1, spent_today=6)))) == "deny b"


def test_a_policy_that_takes_all_arguments_at_once_looks_at_each() -> None:
    place = contract("mark", {"latitude": {"type": "number"}, "floor": WHOLE})
    text = '@id("all") permit (principal, action, resource) when { context.args == context.args };'
    policy = compiled(allow=text, contracts=[place])
    fine = request("mark", {"latitude": 52.5200080, "floor": 1})
    assert short(policy.decide(fine)) == "deny too_large"


def test_a_fact_that_no_policy_looks_at_can_be_what_it_likes() -> None:
    policy = compiled(
        allow='@id("a") permit (principal, action == Penstock::Action::"pay", resource);'
        '@id("b") permit (principal, action == Penstock::Action::"search", resource)'
        " when { context.facts.spent_today >= 0 };"
    )
    assert short(policy.decide(asked(paid("", "", 1, spent_today=2**70)))) == "allow a"
    assert short(policy.decide(request("search", spent_today=2**70))) == "deny too_large"


def test_a_policy_that_takes_all_facts_at_once_looks_at_each() -> None:
    text = (
        '@id("all") permit (principal, action, resource) when { context.facts == context.facts };'
    )
    case = paid("", "", 1, spent_today=2**70)
    assert short(compiled(allow=text).decide(asked(case))) == "deny too_large"


def test_a_fact_that_is_optional_may_be_absent() -> None:
    facts = {"host": Fact(type=FactType.TEXT, is_optional=True, description="d")}
    tool = contract("fetch", {"url": {"type": "string"}}, optional={"url"}, facts=facts)
    policy = compiled(
        allow='@id("a") permit (principal, action, resource)'
        ' unless { context.facts has host && context.facts.host != "a.example" };',
        contracts=[tool],
    )
    assert short(policy.decide(request("fetch"))) == "allow a"
    assert short(policy.decide(request("fetch", host="b.example"))) == "deny"


# The built-in policy.


@pytest.mark.parametrize(
    ("tool", "wanted"),
    [("search", "allow read"), ("fetch", "allow read"), ("pay", "ask ask-first"),
     ("write_file", "ask ask-first")],
)  # fmt: skip
def test_built_in_policy(tool: str, wanted: str) -> None:
    policy = compiled(source=builtin_policy())
    args = {"search": {"word": "w"}}.get(tool, {})
    facts: dict[str, Any] = {"fetch": {"host": "h"}, "write_file": {"real_path": "/p"}}.get(
        tool, {}
    )
    assert short(policy.decide(request(tool, args, **facts))) == wanted


@pytest.mark.parametrize("count", [0, 1])
def test_the_built_in_policy_fits_every_graph(count: int) -> None:
    assert len(compiled(source=builtin_policy(), contracts=CONTRACTS[:count]).rules) == 3


def test_whoever_the_run_acts_for_may_approve_under_the_built_in_policy() -> None:
    (rule,) = compiled(source=builtin_policy()).decide(asked(paid("", "", 5))).rules
    assert (rule.group, rule.may_confirm_self, rule.expires_s) == ("operators", True, 86_400.0)
