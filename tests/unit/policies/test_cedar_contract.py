"""What is relied on in cedarpy without its promise. If one of these fails, read `cedar.py` anew."""

from collections.abc import Mapping

import pytest
from cedarpy import pst

from penstock.policies import cedar
from penstock.policies.cedar_schema import read_tool, schema_json
from penstock.policies.lint import NO_CALL
from support.policies import CONTRACTS, QUIET

SCHEMA_TEXT = schema_json([read_tool(contract) for contract in CONTRACTS])
SCHEMA = cedar.Schema.from_json_str(SCHEMA_TEXT)
PERMIT = "permit (principal, action, resource);"
SEARCH = 'action == Penstock::Action::"search"'
FACTS = {**QUIET, "now": {"__extn": {"fn": "datetime", "arg": "2026-11-23T10:00:00.000Z"}}}


def ask(text: str, args: Mapping[str, object] | None = None, *, user: str = "ann") -> cedar.Answer:
    """Ask some policies about a search."""
    who: dict[str, object] = {
        "uid": cedar.uid("User", user),
        "attrs": {"tenant": {"__entity": cedar.uid("Tenant", "acme")}, "scopes": []},
        "parents": [cedar.uid("Role", "clerk")],
    }
    question = {
        "principal": cedar.uid("User", user),
        "action": cedar.uid("Action", "search"),
        "resource": cedar.uid("Tenant", "acme"),
        "context": {
            "agent": {"__entity": cedar.uid("Agent", "desk")},
            "args": {"word": "w", **(args or {})},
            "facts": FACTS,
        },
    }
    handle = cedar.PolicySet.from_str(text)
    return cedar.authorize(handle, SCHEMA, cedar.entities([who], SCHEMA), request=question)


def test_every_permit_that_matched_is_named() -> None:
    answer = ask(PERMIT + f"permit (principal, {SEARCH}, resource);" + PERMIT)
    assert answer.is_allowed
    assert set(answer.matched) == {"policy0", "policy1", "policy2"}


def test_every_forbid_that_matched_is_named_and_no_permit() -> None:
    forbid = PERMIT.replace("permit", "forbid")
    answer = ask(PERMIT + forbid + PERMIT + forbid)
    assert not answer.is_allowed
    assert set(answer.matched) == {"policy1", "policy3"}


def test_nothing_is_named_where_nothing_matched() -> None:
    answer = ask('permit (principal == Penstock::User::"bo", action, resource);')
    assert (answer.is_allowed, answer.matched, answer.errors) == (False, (), ())


def test_policies_are_called_by_their_places_in_the_text() -> None:
    text = "".join(f'@id("p{place}") {PERMIT}\n' for place in range(12))
    read = cedar.PolicySet.from_str(text).to_pst().static_policies
    assert {key: tree.annotations["id"] for key, tree in read.items()} == {
        f"policy{place}": f"p{place}" for place in range(12)
    }


def test_a_forbid_that_errs_is_skipped_and_the_error_is_told() -> None:
    text = f"forbid (principal, {SEARCH}, resource) when {{ context.args.limit * 2 > 5 }};"
    answer = ask(PERMIT + text, {"limit": 2**63 - 1})
    assert answer.is_allowed
    assert "`policy1`" in answer.errors[0]


def test_a_request_that_does_not_fit_the_schema_is_an_error() -> None:
    for wrong in ({"word": 5}, {"limit": "x"}, {"other": 1}):
        answer = ask(PERMIT, wrong)
        assert not answer.is_allowed
        assert answer.errors


def test_groups_of_tools_come_from_the_schema() -> None:
    assert ask(
        'permit (principal, action in Penstock::Action::"effect_read", resource);'
    ).is_allowed  # fmt: skip
    assert not ask(
        'permit (principal, action in Penstock::Action::"tag_money", resource);'
    ).is_allowed  # fmt: skip


def test_parents_need_not_be_entities_of_their_own() -> None:
    assert ask('permit (principal in Penstock::Role::"clerk", action, resource);').is_allowed


@pytest.mark.parametrize("user", ['a"b', "a\\b", "a\nb", "ä", "", "a::b"])
def test_any_name_can_be_asked_about(user: str) -> None:
    assert ask(PERMIT, user=user).is_allowed


@pytest.mark.parametrize("name", ["datetime", "decimal", "duration", "ip"])
def test_a_value_of_an_extension_is_made_of_a_literal_alone(name: str) -> None:
    # An argument that could become one could overflow, or fail, in a forbid.
    text = f"forbid (principal, {SEARCH}, resource) when {{ {name}(context.args.word) == {name}"
    assert cedar.validate(f'{text}("1.0") }};', SCHEMA)


def test_what_is_asked_for_with_has_is_not_checked() -> None:
    text = f"permit (principal, {SEARCH}, resource) when {{ context.args has nothing }};"
    assert not cedar.validate(text, SCHEMA)


def test_roles_are_not_checked_nor_annotations() -> None:
    text = f'@dok("x") permit (principal in Penstock::Role::"any", {SEARCH}, resource);'
    assert not cedar.validate(text, SCHEMA)


def test_a_group_without_tools_is_said_to_fit_no_call() -> None:
    text = 'permit (principal, action in Penstock::Action::"effect_probe", resource);'
    assert all(NO_CALL in said for said in cedar.validate(text, SCHEMA))


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("context.args.wrd == 5", 'attribute `args.wrd` in context for Penstock::Action::"search"'),
        ("context.args.limit > 5", "optional attribute `args.limit` in context for Penstock"),
        ("principal.scops == 5", "attribute `scops`"),
        ("context.args.word > 5", "expected Long but saw String"),
        ('principal in Rol::"x"', "unrecognized entity type"),
        ('action == Penstock::Action::"x"', "unrecognized action"),
    ],
)  # fmt: skip
def test_words_in_which_it_is_told_what_is_wrong(condition: str, said: str) -> None:
    text = f"permit (principal, {SEARCH}, resource) when {{ {condition} }};"
    assert any(said in each for each in cedar.validate(text, SCHEMA))


def test_words_in_which_a_text_is_no_policy() -> None:
    for text, said in (
        ("oops;", "unexpected token `;`"),
        ("permit (principal, action, resource)", "unexpected end of input"),
        ('@id("a") @id("b") ' + PERMIT, "duplicate annotation: @id"),
    ):
        with pytest.raises(ValueError, match=said):
            cedar.parse(text)


def test_a_tree_is_made_of_data_classes_and_tuples() -> None:
    (tree,) = cedar.parse(
        f"permit (principal, {SEARCH}, resource) when {{ context.args has limit }};"
    ).static_policies.values()
    (clause,) = tree.clauses
    assert clause == pst.When(
        pst.HasAttr(pst.GetAttr(pst.Var("context"), "args"), ("limit",))
    )  # fmt: skip
    assert pst.entity_uids(tree) == {
        pst.EntityUid(pst.EntityType("Action", ("Penstock",)), "search")
    }  # fmt: skip


def test_an_index_is_the_same_as_a_dot() -> None:
    (tree,) = cedar.parse(
        f'permit (principal, {SEARCH}, resource) when {{ context["args"]["limit"] == 5 }};'
    ).static_policies.values()
    args = pst.GetAttr(pst.Var("context"), "args")
    assert pst.GetAttr(args, "limit") in {
        clause.expr.left for clause in tree.clauses if isinstance(clause.expr, pst.BinaryOp)
    }


def test_a_whole_number_with_a_sign_is_a_literal() -> None:
    (tree,) = cedar.parse("permit (principal, action, resource) when { -5 < 6 };"
                          ).static_policies.values()  # fmt: skip
    (clause,) = tree.clauses
    assert clause.expr == pst.BinaryOp("less", pst.LongLit(-5), pst.LongLit(6))
