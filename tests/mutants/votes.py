"""Votes at a gate, and seats that are lent."""

from support.mutants import Mutant

APPROVALS = "tests/integration/nodes/test_approvals.py"
GATE_REFUSALS = "tests/integration/test_gate_refusals.py"

MUTANTS = [
    Mutant(
        "a vote comes after the time",
        at="require_open",
        old="now >= gate.expires_at",
        new="now < gate.opened_at",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-a_vote_comes_after_the_time,_and_nobody_has_noticed]"
        ],
    ),
    Mutant(
        "a vote counts for what was not seen",
        at="require_open",
        old="binding != gate.binding",
        new="not binding",
        killed_by=[f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-a_stale_tab_approves]"],
    ),
    Mutant(
        "a vote comes at a closed gate",
        at="require_open",
        old="""
            if gate.status is not GateStatus.OPEN:
                raise GateClosed(closed_message(gate))
        """,
        new="",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-an_approval_comes_after_a_rejection]",
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-a_vote_comes_at_a_gate_whose_run_is_over]",
        ],
    ),
    Mutant(
        "a question is answered by a vote",
        at="require_open",
        old="gate.kind is not GateKind.APPROVAL",
        new="gate.kind is None",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-a_vote_comes_where_an_answer_is_wanted]"
        ],
    ),
    Mutant(
        "a vote is changed",
        at="vote",
        old="""
            if earlier is not None:
                ...
        """,
        new="""
            if earlier is None and not ballot.person:
                ...
        """,
        killed_by=[f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-a_vote_is_changed]"],
    ),
    Mutant(
        "an ordinary vote breaks the glass",
        at="vote",
        old="Channel.BREAK_GLASS",
        new="None",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-an_ordinary_vote_says_that_it_breaks_the_glass]"
        ],
    ),
    Mutant(
        "a rejection needs no reason",
        at="vote",
        old="not (ballot.reason or '').strip()",
        new="ballot.reason is None",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-a_rejection_has_no_reason]"
        ],
    ),
    Mutant(
        "who has a part in a call approves it",
        at="vote",
        old="_refuse_interested(connection, gate, {ballot.person, seat})",
        new="_ = seat",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-the_requester_approves]",
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-the_editor_approves]",
        ],
    ),
    Mutant(
        "whose seat is lent may have a part in the call",
        at="vote",
        old="{ballot.person, seat}",
        new="{ballot.person}",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-somebody_approves_for_the_requester's_seat]"
        ],
    ),
    Mutant(
        "who votes for another seat may have a part in the call",
        at="vote",
        old="{ballot.person, seat}",
        new="{seat}",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-the_requester_approves_for_another_seat]"
        ],
    ),
    Mutant(
        "the requester approves what was edited",
        at="_refuse_interested",
        old="is_edited or not gate.may_confirm_self",
        new="not gate.may_confirm_self",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-the_requester_approves_what_was_edited_though_they_may_else]"
        ],
    ),
    Mutant(
        "a seat votes twice",
        at="vote",
        old="taken is not None",
        new="taken is None and not seat",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-somebody_votes_whose_seat_was_voted_for]"
        ],
    ),
    Mutant(
        "whoever comes has a seat",
        at="seat_of",
        old="any(has(group, person) for group in groups)",
        new="groups",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-an_outsider_approves]",
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-an_outsider_edits]",
        ],
    ),
    Mutant(
        "whoever is lent a seat has one that is none",
        at="seat_of",
        old="any(has(group, lender) for group in groups)",
        new="groups",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-somebody_approves_for_who_has_left_the_group]",
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-a_seat_is_lent_on]",
        ],
    ),
    Mutant(
        "whom it is escalated to decides before",
        at="groups_of",
        old="gate.escalated_at is not None",
        new="",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-whom_it_is_escalated_to_approves_before]"
        ],
    ),
    Mutant(
        "one approval is enough",
        at="has_quorum",
        old="""
            sum(
                any(has(each, vote.seat) for each in (group, *beside)) for vote in approving
            ) >= count
        """,
        new="""
            sum(
                any(has(each, vote.seat) for each in (group, *beside)) for vote in approving
            ) >= min(count, 1)
        """,
        killed_by=[f"{APPROVALS}::test_a_call_happens_once_all_have_approved"],
    ),
    Mutant(
        "anybody breaks the glass",
        at="break_glass",
        old="has(BREAK_GLASS, ballot.person)",
        new="ballot.person",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-somebody_breaks_the_glass_who_may_not]"
        ],
    ),
    Mutant(
        "who has a part in a call breaks the glass",
        at="break_glass",
        old="_refuse_interested(connection, gate, {ballot.person})",
        new="",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-the_requester_breaks_the_glass]",
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-the_editor_breaks_the_glass]",
        ],
    ),
    Mutant(
        "the glass is broken without a word",
        at="break_glass",
        old="not (ballot.reason or '').strip()",
        new="ballot.reason is None",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-the_glass_is_broken_without_a_reason]"
        ],
    ),
    Mutant(
        "who has rejected is told that the glass is broken",
        at="break_glass",
        old="gate.is_approved and gate.decided_by == ballot.person",
        new="gate.decided_by == ballot.person",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-who_has_rejected_breaks_the_glass]"
        ],
    ),
    Mutant(
        "anybody lends anybody's seat",
        at="delegate",
        old="by != from_person",
        new="not by",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-somebody_lends_the_seat_of_another_to_themselves]"
        ],
    ),
    Mutant(
        "anybody takes a seat back",
        at="revoke",
        old="by not in {lent.from_person, lent.to_person}",
        new="not by",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-a_stranger_takes_a_lent_seat_back]"
        ],
    ),
    Mutant(
        "a seat is used before it is lent",
        at="lenders",
        old="delegations.c.starts_at <= now",
        new="",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-a_seat_is_used_before_it_is_lent]"
        ],
    ),
    Mutant(
        "a seat is used after it was lent",
        at="lenders",
        old="delegations.c.ends_at > now",
        new="",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-a_seat_is_used_after_it_was_lent]"
        ],
    ),
    Mutant(
        "a seat is used that was taken back",
        at="lenders",
        old="delegations.c.revoked_at.is_(None)",
        new="",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-a_seat_is_used_that_was_taken_back]"
        ],
    ),
    Mutant(
        "a seat is used at another gate",
        at="lenders",
        old="delegations.c.gate_id == gate.id",
        new="delegations.c.gate_id != ''",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-a_seat_is_used_at_another_gate_than_it_was_lent_for]"
        ],
    ),
    Mutant(
        "a seat is used in another tenant",
        at="lenders",
        old="delegations.c.tenant == gate.tenant",
        new="",
        killed_by=[
            f"{GATE_REFUSALS}::test_nothing_comes_of_it_when[sqlite-a_seat_is_used_that_was_lent_in_another_tenant]"
        ],
    ),
]
