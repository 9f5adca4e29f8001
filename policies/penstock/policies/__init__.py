"""Who may do what: policies, facts about calls, and the people they speak of."""

from penstock.contracts.policy import DenialReason
from penstock.policies.annotations import Annotation, Mode
from penstock.policies.compiled import CompiledPolicy, Rule, compile_policy, read_rules
from penstock.policies.directory import Directory, OpenDirectory, People
from penstock.policies.runtime_facts import RuntimeFact, reserved_facts
from penstock.policies.shapes import LeftOut
from penstock.policies.source import (
    builtin_policy,
    make_source,
    read_sheet,
    read_source,
    write_sheet,
)

__all__ = [
    "Annotation",
    "CompiledPolicy",
    "DenialReason",
    "Directory",
    "LeftOut",
    "Mode",
    "OpenDirectory",
    "People",
    "Rule",
    "RuntimeFact",
    "builtin_policy",
    "compile_policy",
    "make_source",
    "read_rules",
    "read_sheet",
    "read_source",
    "reserved_facts",
    "write_sheet",
]
