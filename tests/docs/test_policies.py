"""The page about policies says what the code does."""

import re
import tomllib
from pathlib import Path

from penstock.contracts.policy import PolicyFile, PolicySetName
from penstock.policies import (
    Annotation,
    DenialReason,
    Directory,
    RuntimeFact,
    builtin_policy,
    facts,
)
from penstock.policies.annotations import ALLOWED
from support.checkout import ROOT
from support.policies import compiled, contract, sets

PAGE = ROOT / "docs" / "policies.md"


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table whose heading row begins so, without their backticks."""
    table = PAGE.read_text().split(f"| {heading} |", 1)[1].split("\n\n", 1)[0]
    return [
        [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        for line in table.splitlines()[2:]
    ]


def blocks(language: str) -> list[str]:
    """Return the code of the page that is in a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_the_facts_of_every_call_are_explained_in_their_order() -> None:
    assert [name for name, _, _ in rows("fact | type | is")] == list(RuntimeFact)


def test_every_annotation_is_explained_with_the_sets_it_may_be_in() -> None:
    told = {cell.partition("(")[0]: where for cell, _, where in rows("annotation | says | in")}
    both = ALLOWED[PolicySetName.ALLOW]
    assert told == {f"@{name}": "both" if name in both else "gates" for name in Annotation}


def test_every_reason_of_our_own_is_explained() -> None:
    assert [name for name, _ in rows("reason | because")] == list(DenialReason)


def test_every_extractor_is_explained() -> None:
    told = {cell.partition("(")[0] for cell, _, _ in rows("extractor | gives | refuses")}
    made = {name for name in facts.__all__ if name[0].islower()}
    assert told == made - {"compute_facts", "describe", "problems_with"}


def test_the_example_policies_can_be_used() -> None:
    allow, gates = blocks("cedar")
    policy = compiled(allow=allow, gates=gates, roles={"clerk"}, groups={"finance"})
    assert {rule.id for rule in policy.rules} == {
        "pay-clerks", "pay-ceiling", "mail", "no-leak", "big-pay",
    }  # fmt: skip


def test_the_built_in_policy_has_the_ids_of_the_page() -> None:
    policy = compiled(source=builtin_policy(), contracts=[contract("look")])
    told = PAGE.read_text().split("## Without a policy", 1)[1].split("##", 1)[0]
    assert all(f"`{rule.id}`" in told for rule in policy.rules)


def test_the_example_directory_can_be_used(tmp_path: Path) -> None:
    (text,) = blocks("toml")
    assert tomllib.loads(text)
    path = tmp_path / "people.toml"
    path.write_text(text)
    who = Directory.load(path).principal("ann", "refund_desk", "default")
    assert who.scopes == {"payments:write"}


def test_the_sets_of_the_page_are_the_sets() -> None:
    told = [name.partition("/")[0] for name, _ in rows("folder | holds")]
    assert told == list(PolicySetName)
    assert sets(allow="").files == (
        PolicyFile(set=PolicySetName.ALLOW, name="allow.cedar", text=""),
    )
