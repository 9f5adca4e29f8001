"""Who may do what: policies, facts about calls, and the people they speak of."""

from penstock.policies.annotations import Annotation, Mode
from penstock.policies.builtin import builtin_policy
from penstock.policies.compile import compile_policy
from penstock.policies.compiled import CompiledPolicy
from penstock.policies.directory import Directory
from penstock.policies.people import OpenDirectory, People
from penstock.policies.reasons import Reason
from penstock.policies.rules import Rule, read_rules
from penstock.policies.runtime_facts import RuntimeFact, reserved_facts
from penstock.policies.shapes import LeftOut
from penstock.policies.sheet import read_sheet, write_sheet
from penstock.policies.source import make_source, read_source

__all__ = [
    "Annotation",
    "CompiledPolicy",
    "Directory",
    "LeftOut",
    "Mode",
    "OpenDirectory",
    "People",
    "Reason",
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
