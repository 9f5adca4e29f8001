"""Gates at which people approve calls."""

from support.mutants import Mutant

APPROVALS = "tests/integration/nodes/test_approvals.py"
GATE_REFUSALS = "tests/integration/test_gate_refusals.py"

MUTANTS = [
    Mutant(
        "only the last editor may not approve",
        at="editors_of",
        old="""
            select(gates.c.edit_by).where(
                gates.c.run_id == gate.run_id,
                gates.c.effect_key == gate.effect_key,
                gates.c.edit_of_digest == gate.edit.of_digest,
            )
        """,
        new="""
            select(gates.c.edit_by).where(
                gates.c.run_id == gate.run_id,
                gates.c.effect_key == gate.effect_key,
                gates.c.edit_of_digest == gate.edit.of_digest,
                gates.c.id == gate.id,
            )
        """,
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-who_edited_before_another_approves]"
        ],
    ),
    Mutant(
        "a call that asks for votes takes an answer",
        at="close",
        old="gates.c.kind != GateKind.APPROVAL",
        new="",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-an_operator_answers_where_votes_are_wanted]"
        ],
    ),
    Mutant(
        "an approval that was used up is taken back",
        at="_close",
        old="gates.c.consumed_at.is_(None)",
        new="",
        killed_by=[f"{APPROVALS}::test_the_last_edit_counts_where_one_before_was_used_up"],
    ),
    Mutant(
        "the run of a copied thread closes the gates of the other",
        at="others_of_call",
        old="gates.c.run_id == run_id",
        new="",
        killed_by=[
            f"{APPROVALS}::test_a_copy_asks_for_itself_and_leaves_the_gate_of_the_other_run_alone"
        ],
    ),
    Mutant(
        "a gate that was not decided in time is not asked again",
        at="supersede_for_redrive",
        old="gates.c.status.in_([GateStatus.CANCELLED, GateStatus.EXPIRED])",
        new="gates.c.status == GateStatus.CANCELLED",
        killed_by=[
            f"{APPROVALS}::test_a_run_fails_where_the_policy_says_so_and_a_redrive_asks_again"
        ],
    ),
    Mutant(
        "what was refused is forgotten when something else is asked",
        at="others_of_call",
        old="gate.status is GateStatus.OPEN or gate.is_approved",
        new="gate.id",
        killed_by=[
            f"{APPROVALS}::test_what_was_refused_stays_refused_though_others_were_asked_about"
        ],
    ),
    Mutant(
        "a call happens while it waits for people",
        at="Approve.__call__",
        old="GateStatus.OPEN",
        new="None",
        killed_by=[f"{APPROVALS}::test_a_call_that_was_approved_happens_once_while_another_waits"],
    ),
    Mutant(
        "a rejection counts only as long as people would be asked",
        at="Approve.__call__",
        old="""
            if refused is not None:
                return refused
            if not (rules or edit):
                ...
        """,
        new="""
            if refused is not None and rules:
                return refused
            if not (rules or edit):
                ...
        """,
        killed_by=[
            f"{APPROVALS}::test_a_rejected_call_does_not_happen_because_nobody_would_be_asked_any_more"
        ],
    ),
    Mutant(
        "a rejection counts under its own policy alone",
        at="Approve._earlier_refusal",
        old="gate.policy_digest or ''",
        new="authorized.decided.policy_digest",
        killed_by=[
            f"{APPROVALS}::test_a_rejected_call_does_not_happen_under_a_policy_that_would_allow_it"
        ],
    ),
    Mutant(
        "what asks about a call that happens goes on asking",
        at="Approve.__call__",
        old="await self._withdraw(authorized)",
        new="",
        killed_by=[f"{APPROVALS}::test_another_policy_that_allows_lets_the_call_happen"],
    ),
    Mutant(
        "an approval counts that asked too few",
        at="Approve._covers",
        old="covers(gate, terms_of(rules, self.context.run.principal))",
        new="bool(covers(gate, terms_of(rules, self.context.run.principal))) or True",
        killed_by=[
            f"{APPROVALS}::test_more_are_asked_where_the_run_reads_strangers_words_after_an_approval"
        ],
    ),
    Mutant(
        "a worker without its lease asks people",
        at="Approve._require_unchanged",
        old="require_lease(connection, run.fence)",
        new="_ = require_lease",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-a_worker_without_its_lease_asks_people]"
        ],
    ),
    Mutant(
        "people are asked under a policy that is not any more",
        at="Approve._require_unchanged",
        old="not is_same or asked != authorized.recalled.gates",
        new="asked != authorized.recalled.gates",
        killed_by=[f"{APPROVALS}::test_nobody_is_asked_under_a_policy_that_is_not_any_more"],
    ),
    Mutant(
        "a response lets the call happen",
        at="_decided_refusal",
        old="""
            match gate.decision:
                case VoteKind.APPROVE:
                    ...
                case VoteKind.RESPOND:
                    ...
                case _:
                    ...
        """,
        new="""
            match gate.decision:
                case VoteKind.APPROVE | VoteKind.RESPOND:
                    ...
                case None:
                    ...
                case _:
                    ...
        """,
        killed_by=[f"{APPROVALS}::test_a_response_stands_in_place_of_the_result"],
    ),
    Mutant(
        "silence lets a run go on that is to fail",
        at="_refusal",
        old="OnExpiry.FAIL",
        new="None",
        killed_by=[
            f"{APPROVALS}::test_a_tool_node_that_swallows_errors_does_not_go_on_past_a_gate_that_fails_the_run"
        ],
    ),
    Mutant(
        "whoever has a call undone is asked once more",
        at="Approve.__call__",
        old="""
            if call.undoes:
                return await following(approved)
        """,
        new="",
        killed_by=[f"{APPROVALS}::test_nobody_is_asked_once_more_before_a_call_is_undone"],
    ),
    Mutant(
        "a call that is denied happens",
        at="Authorize.__call__",
        old="decided.decision.verdict is Verdict.DENY",
        new="not decided.decision.verdict",
        killed_by=[f"{APPROVALS}::test_a_call_that_is_denied_does_not_happen"],
    ),
    Mutant(
        "a call that began and is denied is said to be refused",
        at="Authorize.__call__",
        old="isinstance(outcome, Refused) and recalled.effect is not None and recalled.is_begun",
        new="isinstance(outcome, Refused) and recalled.effect is None and recalled.is_begun",
        killed_by=[
            f"{APPROVALS}::test_a_call_that_began_and_is_denied_then_is_in_doubt_and_not_refused"
        ],
    ),
    Mutant(
        "an edit that was used up takes the place of the last",
        at="edit_of",
        old="reversed(gates)",
        new="gates",
        killed_by=[f"{APPROVALS}::test_the_last_edit_counts_where_one_before_was_used_up"],
    ),
    Mutant(
        "an edited call is made with what it was",
        at="edit_of",
        old="call.effect.digest",
        new="call.effect.key",
        killed_by=[f"{APPROVALS}::test_an_edited_call_is_made_with_the_new_arguments"],
    ),
    Mutant(
        "an edit makes a call that is denied",
        at="_decided",
        old="decided.decision.verdict is Verdict.DENY",
        new="not decided.decision.verdict",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-an_edit_makes_a_call_that_is_denied]"
        ],
    ),
    Mutant(
        "an edit guesses at what nobody is shown",
        at="_shown_arguments",
        old="tool.contract.sensitive",
        new="not shown",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-an_edit_is_of_arguments_that_nobody_is_shown]"
        ],
    ),
    Mutant(
        "an edit asks fewer than were asked",
        at="open_gate",
        old="[*asking.rules, *([] if before is None else rules_of(before))]",
        new="[*asking.rules] or rules_of(before)",
        killed_by=[f"{APPROVALS}::test_an_edit_asks_all_who_were_asked_before_it"],
    ),
    Mutant(
        "anybody edits",
        at="Approvals.edit",
        old="gates.seat_of(connection, gate, by, has=self._has(gate), now=now)",
        new="",
        killed_by=[f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-an_outsider_edits]"],
    ),
    Mutant(
        "an edit comes too late",
        at="Approvals.edit",
        old="gates.require_open(gate, binding, now=now)",
        new="_ = (binding, now)",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-an_edit_comes_after_the_approval]",
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-a_stale_tab_edits]",
        ],
    ),
    Mutant(
        "anybody says what became of a call",
        at="require_answerer",
        old="people.has(OPERATORS, person, gate.tenant)",
        new="person",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-the_requester_says_what_became_of_a_call]",
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-an_outsider_answers_what_a_graph_asks]",
        ],
    ),
    Mutant(
        "a run that is to fail goes on",
        at="_end_waiting",
        old="gate.on_expiry is OnExpiry.FAIL",
        new="",
        killed_by=[
            f"{APPROVALS}::test_a_run_fails_where_the_policy_says_so_and_a_redrive_asks_again"
        ],
    ),
    Mutant(
        "a decision wakes nobody",
        at="Approvals._cast",
        old="""
            if is_decided:
                ...
        """,
        new="""
            if is_decided and not gate.id:
                ...
        """,
        killed_by=[f"{APPROVALS}::test_a_call_happens_once_all_have_approved"],
    ),
]
