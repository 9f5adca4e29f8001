"""The policy of a graph that names none."""

from penstock.contracts.policy import PolicyFile, PolicySetName, PolicySource
from penstock.policies.source import make_source

OPERATORS = "operators"
"""The group that decides under the built-in policy."""

_ALLOW = """\
@id("read")
@doc("A tool that only reads may be called.")
permit (principal, action in Penstock::Action::"effect_read", resource);

@id("act")
@doc("So may any other, once its gate was approved.")
permit (principal, action, resource)
unless { action in Penstock::Action::"effect_read" };
"""

_GATES = f"""\
@id("ask-first")
@doc("Whatever does not only read is approved by a person first.")
@gate("{OPERATORS}")
@approvals("1")
@expires("P1D")
@self("allowed")
permit (principal, action, resource)
unless {{ action in Penstock::Action::"effect_read" }};
"""


def builtin_policy() -> PolicySource:
    """Return it: what reads is allowed, all else is asked about first."""
    return make_source(
        [
            PolicyFile(set=PolicySetName.ALLOW, name="builtin.cedar", text=_ALLOW),
            PolicyFile(set=PolicySetName.GATES, name="builtin.cedar", text=_GATES),
        ]
    )
