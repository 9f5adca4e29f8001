"""Who may do what: policies, facts about calls, and the people they speak of."""

from typing import TYPE_CHECKING

from penstock.contracts.lazy import lazy_exports
from penstock.contracts.policy import DenialReason

if TYPE_CHECKING:
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

__getattr__ = lazy_exports(
    __name__,
    {
        "Annotation": "penstock.policies.annotations",
        "CompiledPolicy": "penstock.policies.compiled",
        "Directory": "penstock.policies.directory",
        "LeftOut": "penstock.policies.shapes",
        "Mode": "penstock.policies.annotations",
        "OpenDirectory": "penstock.policies.directory",
        "People": "penstock.policies.directory",
        "Rule": "penstock.policies.compiled",
        "RuntimeFact": "penstock.policies.runtime_facts",
        "builtin_policy": "penstock.policies.source",
        "compile_policy": "penstock.policies.compiled",
        "make_source": "penstock.policies.source",
        "read_rules": "penstock.policies.compiled",
        "read_sheet": "penstock.policies.source",
        "read_source": "penstock.policies.source",
        "reserved_facts": "penstock.policies.runtime_facts",
        "write_sheet": "penstock.policies.source",
    },
)
