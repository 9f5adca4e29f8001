"""What is wrong with a policy is said when it is loaded, with its file and line."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import pytest

from penstock.contracts.errors import InvalidPolicy
from penstock.contracts.policy import FactType, PolicyFile, PolicySetName, Taint
from penstock.contracts.tool import EffectClass, ToolContract
from penstock.policies import LeftOut, builtin_policy, compile_policy, make_source
from support.policies import CONTRACTS, SEARCH, STRING, compiled, contract, sets, told

ROLES, GROUPS = {"clerk", "manager"}, {"finance", "security"}
CLASH = contract(
    "upload",
    {
        "data": {"anyOf": [STRING, {"type": "integer"}]},
        "card": {"type": "object", "properties": {"number": STRING, "name": STRING}},
    },
    sensitive={"card.number"},
    facts={"size": told(FactType.WHOLE, is_optional=True)},
)


def permit(condition: str = "", *, action: str = 'action == Penstock::Action::"pay"') -> str:
    """Return a policy whose condition is on its third line."""
    when = f"\nwhen {{ {condition} }}" if condition else ""
    return f'@id("a")\npermit (principal, {action}, resource){when};'


def gate(annotations: str) -> str:
    """Return a gate policy with some annotations on its second line."""
    return f'@id("g")\n{annotations}\npermit (principal, action, resource);'


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A policy, the place of what is wrong with it, and parts of what is said."""

    id: str
    allow: str | None = None
    gates: str | None = None
    line: int
    says: Collection[str]


def allow(case: str, text: str, line: int, *says: str) -> Refusal:
    return Refusal(id=case, allow=text, line=line, says=says)


def gates(case: str, text: str, line: int, *says: str) -> Refusal:
    return Refusal(id=case, gates=text, line=line, says=says)


UPLOAD = 'action == Penstock::Action::"upload"'
REFUSALS = [
    # No Cedar.
    allow("syntax", permit("foo bar"), 3, "no policy", "`bar`"),
    allow("a policy without its semicolon", permit().rstrip(";"), 1, "end of input"),
    allow("two policies with one semicolon", permit().rstrip(";") + "\n" + permit(), 3,
          "unexpected token `@`"),
    allow("an annotation twice", '@id("a")\n@id("b") permit (principal, action, resource);', 2,
          "duplicate annotation"),
    allow("a template", '@id("a") permit (principal == ?principal, action, resource);', 1,
          "template"),
    # Names.
    allow("a tool that is none", permit(action='\naction == Penstock::Action::"pya"'), 3,
          "`pya`", "Did you mean `pay`?"),
    allow("a tool that is none in a condition", permit('action == Penstock::Action::"pya"'), 3,
          "`pya`", "Did you mean `pay`?"),
    allow("a tag that no tool has", permit(action='action in Penstock::Action::"tag_mony"'), 2,
          "`tag_mony`", "`tag_money`"),
    allow("a group as if it were a tool", permit(action='action == Penstock::Action::"tag_money"'),
          2, "group of tools", "`action in`"),
    allow("a tool without the namespace", permit(action='action == Action::"pay"'), 2,
          "no type `Action`", "`Penstock::Action`"),
    allow("a type that is none", permit('principal in Penstock::Rol::"clerk"'), 3,
          "`Penstock::Rol`", "`Penstock::Role`"),
    allow("a role that is none", permit('principal in Penstock::Role::"clrek"'), 3,
          "no role `clrek`", "`clerk`"),
    allow("a group that is none", permit('principal in Penstock::Group::"finanec"'), 3,
          "no group `finanec`", "`finance`"),
    allow("an agent for a principal",
          '@id("a")\npermit (principal is Penstock::Agent, action, resource);', 1,
          "no call at all"),
    # Arguments and facts.
    allow("an argument that is none", permit('context.args.amout.lessThan(decimal("5.0"))'), 3,
          "`pay` has no argument `amout`", "`amount`"),
    allow("an argument that is none behind has", permit("context.args has nte"), 3, "`nte`",
          "`note`"),
    allow("an argument of another tool", permit('context.args.subject == "x"'), 3, "`subject`"),
    allow("a fact that is none", permit("context.facts.saw_untrused"), 3, "no fact `saw_untrused`",
          "`saw_untrusted`"),
    allow("a fact that is none behind has", permit("context.facts has wekday"), 3, "`wekday`",
          "`weekday`"),
    allow("a part of the context that is none", permit("context has arg"), 3, "`arg`", "`args`"),
    allow("the same without has", permit("context.fact.now == context.facts.now"), 3,
          "`context.fact`", "`facts`"),
    allow("a property that is none", permit('principal.scops.contains("x")'), 3, "`scops`",
          "`scopes`"),
    allow("a property that is none behind has", permit("principal has tennant"), 3, "`tennant`"),
    allow("an optional argument without has", permit('context.args.note == "x"'), 3,
          "may lack `note`", "`context.args has note && …`"),
    allow("an optional fact without has", permit("context.facts.size > 5", action=UPLOAD), 3,
          "may lack `size`", "`context.facts has size && …`"),
    allow("an argument that stays out", permit('context.args.data == "x"', action=UPLOAD), 3,
          "`data`", "several types", "fact"),
    allow("an argument that stays out behind has",
          permit('context.args has data && context.args.data == "x"', action=UPLOAD), 3, "`data`",
          "several types"),
    allow("a sensitive field", permit("context.args.card has number", action=UPLOAD), 3,
          "`card.number`", "sensitive"),
    # Types.
    allow("a decimal as if it were whole", permit("context.args.amount > 500"), 3,
          "decimal", "lessThan"),
    allow("a decimal that is too fine",
          permit('context.args.amount.lessThan(decimal("1.23456"))'), 3, "1.23456"),
    allow("a text that is compared as a number", permit("context.args.to > 5"), 3, "one type"),
    # What Cedar would skip.
    allow("arithmetic in a forbid",
          '@id("a")\nforbid (principal, action == Penstock::Action::"search", resource)\n'
          "when { context.args has limit && context.args.limit * 100 > 5000 };", 3, "`*`",
          "overflow"),
    allow("a sign in a forbid",
          '@id("a")\nforbid (principal, action == Penstock::Action::"search", resource)\n'
          "when { context.args has limit && -context.args.limit > 5000 };", 3, "`-`"),
    gates("arithmetic in a gate",
          '@id("a") @gate("finance")\npermit (principal, action, resource)\n'
          "when { context.facts.spent_today + 5 > 5000 };", 3, "`+`"),
    # Annotations.
    allow("no id", "\npermit (principal, action, resource);", 2, "no `@id`"),
    allow("an empty id", "@id\npermit (principal, action, resource);", 1, "`@id`"),
    allow("an id that is a sentence", '@id("no way!")\npermit (principal, action, resource);', 1,
          '"no way!"'),
    allow("an id that is a reason of our own",
          '\n\n@id("tenant")\npermit (principal, action, resource);', 3, '"tenant"'),
    allow("an id twice", permit() + "\n\n" + permit(), 4, "`a`", "allow/allow.cedar:1"),
    allow("a misspelt annotation", '@id("a")\n@dok("x")\npermit (principal, action, resource);', 2,
          "`@dok`", "`doc`"),
    allow("a gate's annotation in the other set",
          '@id("a")\n@gate("finance")\npermit (principal, action, resource);', 2, "`@gate`"),
    allow("a mode that is none", '@id("a")\n@mode("log")\npermit (principal, action, resource);', 2,
          '"log"', "`shadow`"),
    gates("a forbid among the gates",
          '@id("g") @gate("finance")\nforbid (principal, action, resource);', 2, "forbid"),
    gates("a gate without its group", gate('@doc("x")'), 1, "no `@gate`"),
    gates("a gate of an empty group", gate("@gate"), 2, "`@gate`"),
    gates("a gate of a group that is none", gate('@gate("finanec")'), 2, '"finanec"', "`finance`"),
    gates("a misspelt gate", gate('@gaet("finance")'), 2, "`@gaet`", "`gate`"),
    gates("a count in words", gate('@gate("finance") @approvals("two")'), 2, '"two"'),
    gates("a count of none", gate('@gate("finance") @approvals("0")'), 2, '"0"'),
    gates("a time in words", gate('@gate("finance") @expires("4 hours")'), 2, '"4 hours"',
          "`PT4H`"),
    gates("no time", gate('@gate("finance") @expires("PT0S")'), 2, '"PT0S"'),
    gates("a time of nothing", gate('@gate("finance") @expires("P")'), 2, '"P"'),
    gates("a time of a day and nothing", gate('@gate("finance") @expires("P1DT")'), 2, '"P1DT"'),
    gates("a time in months", gate('@gate("finance") @expires("P1M")'), 2, '"P1M"'),
    gates("a time without an end", gate('@gate("finance") @expires("P99999D")'), 2, '"P99999D"'),
    gates("an end that is none", gate('@gate("finance") @on_expiry("allow")'), 2, '"allow"',
          "`deny`"),
    gates("a self that is none", gate('@gate("finance") @self("yes")'), 2, '"yes"', "`allowed`"),
    gates("an escalation to nobody", gate('@gate("finance") @escalate_after("PT1H")'), 2,
          "no `@escalate_to`"),
    gates("an escalation at no time", gate('@gate("finance") @escalate_to("security")'), 2,
          "no `@escalate_after`"),
    gates("an escalation too late",
          gate('@gate("x") @escalate_after("PT4H") @escalate_to("finance") @expires("PT4H")'),
          2, "expired"),
    gates("an escalation to a group that is none",
          gate('@gate("finance") @escalate_after("PT1H") @escalate_to("bord")'), 2, '"bord"'),
    gates("an escalation to the same group",
          gate('@gate("finance") @escalate_after("PT1H") @escalate_to("finance")'), 2, "another"),
]  # fmt: skip


def refused(
    text: str | None = None,
    gate_text: str | None = None,
    contracts: Collection[ToolContract] = (*CONTRACTS, CLASH),
) -> list[str]:
    """Return the lines in which a policy is refused."""
    with pytest.raises(InvalidPolicy) as error:
        compiled(
            allow=text, gates=gate_text, contracts=contracts, roles=ROLES, groups=GROUPS
        )  # fmt: skip
    return str(error.value).splitlines()


@pytest.mark.parametrize("case", REFUSALS, ids=lambda case: case.id)
def test_refused(case: Refusal) -> None:
    lines = refused(case.allow, case.gates)
    name = "allow" if case.gates is None else "gates"
    at = [line for line in lines if line.startswith(f"{name}/{name}.cedar:{case.line}: ")]
    assert any(all(part in line for part in case.says) for line in at), lines


@pytest.mark.parametrize("case", REFUSALS, ids=lambda case: case.id)
def test_said_once(case: Refusal) -> None:
    lines = refused(case.allow, case.gates)
    assert len(lines) == len(set(lines))
    # A slip may mean that something is missing too: a misspelt `@gate` is one.
    assert len(lines) <= 2, lines


def test_a_field_that_nobody_named_is_not_asked_for() -> None:
    tool = contract("t", {"a": STRING}, optional={"a"})
    tool = replace(tool, arguments_schema={**tool.arguments_schema, "additionalProperties": True})
    action = 'action == Penstock::Action::"t"'
    assert compiled(allow=permit("context.args has a", action=action), contracts=[tool]).rules
    (said,) = refused(permit("context.args has b", action=action), contracts=[tool])
    assert "`b`, which no policy sees of `t`: nobody named these fields" in said


def test_what_one_tool_hides_is_not_asked_for_of_several() -> None:
    other = contract("other", {"data": STRING}, optional={"data"})
    (said,) = refused(permit("context.args has data", action="action"), contracts=[other, CLASH])
    assert "`data`, which no policy sees of `upload`" in said


def test_every_problem_is_told_by_file_and_line() -> None:
    text = permit("context.args.amout == 5") + "\n" + permit('principal in Penstock::Role::"x"')
    lines = refused(text, gate('@gate("x") @approvals("two")'))
    places = [line.split(": ")[0] for line in lines]
    assert places == [
        "allow/allow.cedar:3",
        "allow/allow.cedar:4",
        "allow/allow.cedar:6",
        "gates/gates.cedar:2",
        "gates/gates.cedar:2",
    ]


def test_an_id_is_used_once_over_both_sets() -> None:
    assert "allow/allow.cedar:1" in refused(permit(), gate('@gate("finance")').replace("g", "a", 0)
                                            .replace('@id("g")', '@id("a")'))[0]  # fmt: skip


def test_files_of_one_name_in_both_sets_are_told_apart() -> None:
    source = make_source(
        PolicyFile(set=name, name="x.cedar", text="oops;") for name in PolicySetName
    )
    with pytest.raises(InvalidPolicy, match=r"(?s)^allow/x\.cedar:1: .*\ngates/x\.cedar:1: "):
        compile_policy(source, CONTRACTS, roles=None, groups=None)


def test_comments_and_semicolons_in_texts_do_not_end_a_policy() -> None:
    text = '// a; b\n@id("a") @doc("one; // two")\npermit (principal, action, resource) // ;\n;// c'
    (rule,) = compiled(allow=text).rules
    assert (rule.line, rule.annotations["doc"]) == (2, "one; // two")


def test_a_word_in_a_comment_is_not_where_something_is_wrong() -> None:
    text = permit('\n// amout\ncontext.args.amout.lessThan(decimal("1.0"))')
    assert refused(text)[0].startswith("allow/allow.cedar:5: ")


def test_who_does_not_know_roles_and_groups_does_not_check_them() -> None:
    policy = compiled(
        allow=permit('principal in Penstock::Role::"any"'), gates=gate('@gate("any")'), roles=None
    )
    assert len(policy.rules) == 2


def test_tenants_users_and_agents_are_not_checked() -> None:
    condition = (
        'principal == Penstock::User::"x" || context.agent == Penstock::Agent::"y"'
        ' || resource == Penstock::Tenant::"z"'
    )
    assert compiled(allow=permit(condition), roles=ROLES, groups=GROUPS).rules


def test_a_condition_that_never_holds_is_let_through() -> None:
    assert compiled(allow=permit("false")).rules


def test_arithmetic_in_a_permit_is_let_through_because_its_error_denies() -> None:
    assert compiled(allow=permit("context.facts.weekday + 1 > 2")).rules


def test_a_class_and_a_taint_that_no_tool_has_may_be_named() -> None:
    groups = [f"effect_{each}" for each in EffectClass] + [f"taint_{each}" for each in Taint]
    for group in groups:
        action = f'action in Penstock::Action::"{group}"'
        assert compiled(allow=permit(action=action), contracts=[SEARCH]).rules
        assert compiled(allow=permit(action=action), contracts=[]).rules


@pytest.mark.parametrize(
    ("contracts", "says"),
    [
        ([contract("tag_x"), contract("b", tags={"x"})], "`tag_x` has the name of a group"),
        ([contract("effect_read")], "`effect_read` has the name of a group"),
        ([contract("a"), contract("a")], "There are 2 tools `a`"),
        ([contract("a", facts={"now": told(FactType.TEXT)})], "`now`, which is the runtime's own"),
    ],
    ids=["a tag's group", "a class's group", "two tools", "a fact of the runtime"],
)
def test_names_that_a_policy_could_not_tell_apart_are_refused(
    contracts: Collection[ToolContract], says: str
) -> None:
    with pytest.raises(InvalidPolicy) as error:
        compiled(source=builtin_policy(), contracts=contracts)
    assert says in str(error.value)


def test_what_stays_out_is_listed_with_its_reason() -> None:
    assert compiled(source=sets(allow=permit()), contracts=(*CONTRACTS, CLASH)).left_out == (
        LeftOut(tool="upload", field="data", why="it may be of several types"),
        LeftOut(tool="upload", field="card.number", why="the contract says that it is sensitive"),
    )


DEEP = {
    "brackets": "(" * 3000 + "true" + ")" * 3000,
    "lists": "[" * 3000 + "1" + "]" * 3000 + " == 1",
    "records": '{"a": ' * 3000 + "1" + "}" * 3000 + " == 1",
    "brackets behind a text of two lines": '"a\n" == ' + "(" * 3000 + "true" + ")" * 3000,
    "brackets behind a comment": "// x\r" + "(" * 3000 + "true" + ")" * 3000,
    "brackets in an open text": '"' + "(" * 3000,
    "ands": " && ".join(["true"] * 40_000),
    "ifs": "if true then " * 20_000 + "true" + " else false" * 20_000,
    "fields": "context" + ".a" * 40_000,
    "sums": " + ".join(["1"] * 40_000) + " == 1",
    "words": "context has " + "a in " * 40_000 + "a",
}
"""Each ends the process if Cedar is given it."""


@pytest.mark.parametrize("what", DEEP)
def test_policy_too_deep_for_cedar_is_refused_before_it(what: str) -> None:
    text = f'@id("a") permit (principal, action, resource) when {{ {DEEP[what]} }};'
    with pytest.raises(InvalidPolicy, match=r"allow/allow.cedar:1: It is too deep"):
        compiled(allow=text)


def test_brackets_in_texts_and_comments_are_none() -> None:
    text = f'// {"(" * 500}\n@id("a") @doc("{"[" * 500}") permit (principal, action, resource);'
    assert [rule.id for rule in compiled(allow=text).rules] == ["a"]


def test_mistake_behind_thousands_of_the_same_is_told_all_the_same() -> None:
    text = f'@id("a") permit (principal, action, resource) when {{ [{"1, " * 20_000}1 1] == [1] }};'
    with pytest.raises(InvalidPolicy, match="It is no policy"):
        compiled(allow=text)
