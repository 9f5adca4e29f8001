"""What a candidate would have said, and what nobody can tell."""

from penstock.contracts.ids import RunId
from penstock.contracts.policy import Verdict
from penstock.runs.policies import redecide
from support.decided import decided
from support.policies import compiled

EVERYTHING = '@id("all") permit (principal, action, resource);'
RUN = RunId("01234567-0000-7000-8000-000000000000")


def test_call_of_a_tool_that_is_gone_is_left_out_and_casts_doubt_on_the_next() -> None:
    recorded = [
        decided(RUN, Verdict.ALLOW, "all", call="a", tool="gone"),
        decided(RUN, Verdict.ASK, "big", call="b", tool="search", args={"word": "x"}),
    ]
    first, second = redecide(recorded, compiled(allow=EVERYTHING))
    assert first.why_not is not None
    assert "no such tool" in first.why_not
    assert not first.is_changed
    assert (second.why_not, second.is_changed, second.is_certain) == (None, True, False)


def test_call_that_lacks_what_the_candidate_looks_at_is_left_out() -> None:
    looking = '@id("no") forbid (principal, action == Penstock::Action::"search", resource)'
    looking += ' when { context.args.word == "secret" };'
    recorded = [decided(RUN, Verdict.ALLOW, "all", tool="search", args={})]
    (only,) = redecide(recorded, compiled(allow=EVERYTHING + looking))
    assert only.why_not is not None
    assert "does not fit" in only.why_not


def test_call_that_was_unfit_then_is_decided_anew() -> None:
    recorded = [decided(RUN, Verdict.DENY, "unknown_tool", tool="gone")]
    (only,) = redecide(recorded, compiled(allow=EVERYTHING))
    assert (only.why_not, only.is_changed) == (None, False)
