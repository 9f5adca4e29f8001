"""What a call needs of a decision before it is made."""

from support.mutants import Mutant

APPROVALS = "tests/integration/nodes/test_approvals.py"
GATE_REFUSALS = "tests/integration/test_gate_refusals.py"

MUTANTS = [
    Mutant(
        "an approval counts for another call",
        at="consume",
        old="gate.binding != binding",
        new="not binding",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-a_call_begins_with_the_approval_of_another]"
        ],
    ),
    Mutant(
        "a call begins without an approval",
        at="consume",
        old="gate.status is not GateStatus.DECIDED or not gate.is_approved",
        new="gate.status is GateStatus.EXPIRED",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-a_call_begins_without_an_approval]",
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-a_call_begins_that_was_rejected]",
        ],
    ),
    Mutant(
        "an approval counts after its time",
        at="consume",
        old="gate.expires_at is not None and now >= gate.expires_at",
        new="gate.expires_at is None",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-a_call_begins_after_its_approval_is_over]"
        ],
    ),
    Mutant(
        "who approved need not be there any more",
        at="consume",
        old="has=has",
        new="has=lambda *_: bool(has)",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-a_call_begins_though_who_approved_has_left]",
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-a_call_begins_though_who_broke_the_glass_has_left]",
        ],
    ),
    Mutant(
        "a call begins under a policy that is not any more",
        at="claim",
        old="policies.active_digest(connection, run.graph) != approved.decided.policy_digest",
        new="policies.active_digest(connection, run.graph) is None",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-a_call_begins_under_a_policy_that_is_not_any_more]"
        ],
    ),
    Mutant(
        "an approval is not used up",
        at="claim",
        old="void is not None",
        new="void is not None and not approved.approval",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-a_call_begins_without_an_approval]"
        ],
    ),
    Mutant(
        "an approval outlives its policy",
        at="binding_of",
        old="decided.policy_digest",
        new="",
        killed_by=[f"{APPROVALS}::test_another_policy_that_asks_asks_anew"],
    ),
    Mutant(
        "an approval counts for other arguments",
        at="binding_of",
        old="""
            [
                run.tenant,
                run.id,
                decided.effect_key,
                request.tool,
                request.tool_version,
                digest,
                decided.policy_digest,
                run.fingerprint,
                request.principal.user,
                request.principal.agent,
            ]
        """,
        new="""
            [
                run.tenant,
                run.id,
                decided.effect_key,
                request.tool,
                request.tool_version,
                decided.policy_digest,
                run.fingerprint,
                request.principal.user,
                request.principal.agent,
            ]
        """,
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-a_call_begins_with_other_arguments]"
        ],
    ),
    Mutant(
        "an approval counts for another call of the run",
        at="binding_of",
        old="decided.effect_key",
        new="",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-a_call_begins_with_the_approval_of_its_like]"
        ],
    ),
]
