"""The rules of a policy for people, also where it does not fit any tools."""

from penstock.policies import Mode, read_rules
from support.policies import sets


def test_rules_are_read_without_their_tools() -> None:
    found = read_rules(
        sets(
            allow='@id("one")\npermit (principal, action == Penstock::Action::"gone", resource);\n'
            'broken;\n@id("two") @mode("shadow") forbid (principal, action, resource);',
            gates='@id("three") @gate("finance") permit (principal, action, resource);',
        )
    )
    assert [(rule.id, rule.effect, rule.mode, rule.file, rule.line) for rule in found] == [
        ("one", "permit", Mode.ENFORCE, "allow/allow.cedar", 1),
        ("two", "forbid", Mode.SHADOW, "allow/allow.cedar", 4),
        ("three", "permit", Mode.ENFORCE, "gates/gates.cedar", 1),
    ]
    assert found[2].annotations["gate"] == "finance"
