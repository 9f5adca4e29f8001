"""Rules that must not go unnoticed if they are broken: each is broken here, and a test must fail.

The checkout is copied, one line is changed in the copy, and the tests that guard it run there.
"""

import compileall
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from py_compile import PycInvalidationMode

import pytest

from support.checkout import ROOMS, ROOT
from support.warm import WarmPytest

CHECKPOINTS = "checkpoints/penstock/checkpoints"
CONTRACTS = "contracts/penstock/contracts"
NODES = "nodes/penstock/nodes"
RUNS_ROOM = "runs/penstock/runs"
POLICIES = "policies/penstock/policies"
DECISIONS = ("tests/unit/policies/test_decisions.py",)
DIRECTORY = ("tests/unit/policies/test_directory.py",)
FACTS = ("tests/unit/policies/test_facts.py",)
PROPERTIES = ("tests/unit/policies/test_properties.py",)
REFUSALS = ("tests/unit/policies/test_refusals.py",)
SHAPES = ("tests/unit/policies/test_shapes.py",)
FENCE = ("tests/integration/test_fence.py",)
RUNS = ("tests/integration/test_runs.py",)
RUNTIME = ("tests/integration/test_runtime.py",)
STEPS = ("tests/integration/test_steps.py",)
WRITER = ("tests/integration/test_writer.py",)
CHECKPOINTER = ("tests/integration/test_checkpointer.py",)
LANES = ("tests/unit/test_lanes.py", *CHECKPOINTER)
LEDGER = ("tests/integration/test_ledger.py",)
EFFECTS = "tests/integration/nodes/test_effects.py"
CANCELLING = "tests/integration/nodes/test_cancelling.py"
PAUSING = "tests/integration/test_pausing.py"
QUESTIONS = "tests/integration/nodes/test_questions.py"
APPROVALS = "tests/integration/nodes/test_approvals.py"
REFUSED = "tests/integration/test_gate_refusals.py::test_nothing_comes_of_it_when"
FORMS = ("tests/unit/nodes/test_forms.py",)
CHILDREN = "tests/integration/test_child_runs.py"
BUDGETS = "tests/integration/test_budgets.py"
BUDGET_GATES = "tests/integration/nodes/test_budget_gates.py"
BUDGET_REFUSALS = "tests/integration/test_budget_gate_refusals.py"
STEP_BUDGETS = "tests/integration/test_step_budgets.py"
SEGMENTS = "tests/integration/test_segments.py"
SEGMENTS_BEFORE = "test_steps_of_segments_before_count_and_those_told_of_again_do_not"
METERING = "tests/integration/nodes/test_metering.py"
LINKS = ("tests/integration/test_links.py",)
NOTICES = ("tests/integration/test_notices.py",)
ANNOTATIONS = "tests/integration/test_annotations.py"
ANNOTATING = "tests/integration/test_annotating.py"
DEV = "tests/integration/cli/test_dev.py"
SUPERVISE = "tests/integration/dev/test_supervise.py"
DELTAS = ("tests/unit/test_deltas.py", *CHECKPOINTER)


TRACES = "traces/penstock/traces"
CANARIES = "tests/integration/traces/test_canaries.py"
EXPORT = "tests/integration/traces/test_export.py"
CONTEXT = "tests/integration/traces/test_context.py"
TREES = "tests/integration/traces/test_trees.py"
SECRETS = "test_secrets_are_taken_out_of_everything"
SENSITIVE = "test_sensitive_values_are_taken_out_of_everything"
DIGESTS = "test_digests_show_no_word_of_any_text"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One broken rule."""

    claim: str
    """What would be true of the product if this mutant lived."""
    module: str
    old: str
    new: str
    tests: Sequence[str]
    folder: str = CHECKPOINTS
    """Where the module lies."""


def refused(*claims: str) -> Sequence[str]:
    """Return the tests of the table of refusals with these claims."""
    return [f"{REFUSED}[sqlite-{claim.replace(' ', '_')}]" for claim in claims]


MUTANTS = [
    Mutant(
        "a call goes on when the time of its step is over",
        "driver.py",
        '            acting.halt.ask("the time of its step was over")\n',
        "",
        (f"{PAUSING}::test_the_calls_of_a_step_have_no_more_time_than_the_step",),
        RUNS_ROOM,
    ),
    # ---- child runs ----
    Mutant(
        "a child does not use up what its parent may",
        "calls/acting.py",
        "for parent in self.parents",
        "for parent in self.parents[:0]",
        (f"{CHILDREN}::test_children_together_do_not_use_more_than_their_parent_may",),
        NODES,
    ),
    Mutant(
        "only the next run above pays",
        "runs/family.py",
        "parent_id = get(connection, parent_id).parent_id",
        "parent_id = None",
        (f"{CHILDREN}::test_what_a_child_uses_all_runs_above_it_use",),
    ),
    Mutant(
        "children outlive a cancelled parent",
        "cancelled.py",
        "for child in runs.living_children(connection, run_id):",
        "for child in runs.living_children(connection, run_id)[:0]:",
        (f"{CHILDREN}::test_what_a_run_has_started_is_cancelled_with_it",),
        RUNS_ROOM,
    ),
    Mutant(
        "a run that is to be cancelled starts others",
        "runs/family.py",
        "if parent.status not in LIVE or parent.cancel_by is not None or is_late:",
        "if parent.status not in LIVE or is_late:",
        (f"{CHILDREN}::test_a_run_that_is_asked_to_end_starts_no_others",),
    ),
    Mutant(
        "a run whose time is over starts others",
        "runs/family.py",
        "is_late = left_s is not None and left_s <= 0",
        "is_late = left_s is not None and left_s < -10_000",
        (f"{CHILDREN}::test_a_run_whose_time_is_over_starts_no_others",),
    ),
    Mutant(
        "a child acts for whoever started it",
        "runs/family.py",
        "        principal=parent.principal,\n",
        "",
        (f"{CHILDREN}::test_a_child_acts_for_whom_its_parent_acts_and_simulates_with_it",),
    ),
    Mutant(
        "a run of another tenant is a parent",
        "runs/family.py",
        "if parent.tenant != run.tenant:",
        "if not parent.tenant:",
        (f"{CHILDREN}::test_a_run_of_another_tenant_is_nobodys_parent",),
    ),
    Mutant(
        "a cap of a parent is asked about at its child",
        "gates/exhaustion.py",
        "if error.shortfall.account != run_account(run.id):",
        "if error.shortfall.account == '':",
        (f"{CHILDREN}::test_nobody_is_asked_at_a_child_to_raise_the_budget_of_its_parent",),
        NODES,
    ),
    # ---- gates about budgets ----
    Mutant(
        "a raise replaces the cap",
        "budget_sql.py",
        'cap: cap + bindparam("by", type_=cap.type)',
        'cap: bindparam("by", type_=cap.type)',
        (f"{BUDGET_REFUSALS}::test_a_cap_is_raised_by_what_was_said",),
    ),
    Mutant(
        "a raise is no more than words",
        "gates/exhausting.py",
        "said_of(gate) is Exhausted.RAISE:\n        more",
        "not gate.id:\n        more",
        (f"{BUDGET_REFUSALS}::test_a_cap_is_raised_by_what_was_said",),
    ),
    Mutant(
        "who raised a cap is not written down",
        "budgets.py",
        '            action="budget.raised",\n',
        '            action="budget.changed",\n',
        (f"{BUDGET_GATES}::test_a_raise_lets_a_model_be_called",),
    ),
    Mutant(
        "a double click raises twice",
        "runtime.py",
        "            if not is_fresh:\n                return decided\n",
        "",
        (
            (
                f"{BUDGET_REFUSALS}::test_nothing_comes_of_it_when"
                "[sqlite-it_is_raised_again_by_the_same_amount_by_the_same_person]"
            ),
        ),
        RUNS_ROOM,
    ),
    Mutant(
        "a cap is raised by less than what was wanted",
        "gates/exhausting.py",
        '"minimum": short.lacking',
        '"minimum": 1',
        (
            (
                f"{BUDGET_REFUSALS}::test_nothing_comes_of_it_when"
                "[sqlite-it_is_raised_by_less_than_what_is_wanted]"
            ),
        ),
    ),
    Mutant(
        "another cap than that of the gate is named",
        "gates/exhausting.py",
        'cap={"const": short.unit}',
        'cap={"type": "string"}',
        (f"{BUDGET_REFUSALS}::test_nothing_comes_of_it_when[sqlite-another_cap_is_raised]",),
    ),
    Mutant(
        "a raise that comes too late counts",
        "gates/closing.py",
        "gates.c.expires_at > database_now(connection.dialect),\n            ),",
        "gates.c.expires_at.is_not(None),\n            ),",
        (f"{BUDGET_REFUSALS}::test_nothing_comes_of_it_when[sqlite-it_is_raised_too_late]",),
    ),
    Mutant(
        "a worker without its lease asks for more",
        "gates/exhaustion.py",
        "    require_lease(connection, run.fence)\n",
        "",
        (
            (
                f"{BUDGET_REFUSALS}::test_nothing_comes_of_it_when"
                "[sqlite-a_worker_without_its_lease_asks]"
            ),
        ),
        NODES,
    ),
    Mutant(
        "a cap that was raised is never asked about again",
        "gates/exhausting.py",
        "GateStatus.SUPERSEDED or said_of(gate) is Exhausted.RAISE",
        "GateStatus.SUPERSEDED",
        (f"{BUDGET_GATES}::test_a_raise_that_holds_one_more_call_asks_about_the_next",),
    ),
    Mutant(
        "an expired gate is not asked again by a redrive",
        "gates/closing.py",
        "gates.c.kind.in_([GateKind.APPROVAL, GateKind.BUDGET]),",
        "gates.c.kind == GateKind.APPROVAL,",
        (
            f"{BUDGET_GATES}::test_a_run_fails_whose_gate_expires_and_a_redrive_asks_again",
            f"{BUDGET_GATES}::test_a_run_that_failed_beside_its_gate_asks_anew_when_it_is_redriven",
        ),
    ),
    Mutant(
        "people are asked though the graph does not say so",
        "gates/exhaustion.py",
        "account is None or account.on_exhaustion is not OnExhaustion.GATE",
        "account is None",
        (f"{METERING}::test_a_call_that_does_not_fit_is_not_made_and_ends_the_run",),
        NODES,
    ),
    Mutant(
        "people are asked about what no raise would help",
        "gates/exhaustion.py",
        "    if not short.is_raisable:\n        return Verdict(next=Next.UNASKED)\n",
        "",
        (f"{BUDGET_GATES}::test_what_no_raise_would_help_is_not_asked_about",),
        NODES,
    ),
    Mutant(
        "a tool's call that waits for more is refused",
        "stages/afford.py",
        "            case exhaustion.Next.WAIT if gate is not None:\n",
        "            case exhaustion.Next.WAIT if gate is None:\n",
        (
            f"{BUDGET_GATES}::test_tool_calls_that_do_not_fit_wait_at_one_gate_and_are_made_after_it",
        ),
        NODES,
    ),
    Mutant(
        "a graph may swallow that its model waits",
        "models/metering.py",
        "                raise GateAwaited(verdict.gate.id)\n",
        "                raise error\n",
        (f"{BUDGET_GATES}::test_a_model_call_that_does_not_fit_waits_at_a_gate",),
        NODES,
    ),
    Mutant(
        "a graph that is to finish is ended",
        "models/metering.py",
        "            case Next.REFUSE:\n                raise error\n",
        "",
        (f"{BUDGET_GATES}::test_what_does_not_fit_is_refused_where_the_graph_is_to_finish",),
        NODES,
    ),
    Mutant(
        "a gate about a budget is taken for a question of the graph",
        "questions.py",
        "gate.effect_key is not None or gate.kind is GateKind.BUDGET",
        "gate.effect_key is not None",
        (
            f"{BUDGET_GATES}::test_tool_calls_that_do_not_fit_wait_at_one_gate_and_are_made_after_it",
        ),
        RUNS_ROOM,
    ),
    Mutant(
        "a run whose model waits does not",
        "driver.py",
        "            is_awaited=bool(waits_for),\n",
        "",
        (f"{BUDGET_GATES}::test_a_model_call_that_does_not_fit_waits_at_a_gate",),
        RUNS_ROOM,
    ),
    Mutant(
        "a run that is stopped has to be driven first",
        "runtime.py",
        "    if not is_stop or run.status is not RunStatus.WAITING:\n",
        "    if not is_stop or run.status is RunStatus.WAITING:\n",
        (f"{BUDGET_GATES}::test_a_run_that_is_stopped_ends_at_once",),
        RUNS_ROOM,
    ),
    Mutant(
        "what a graph does when it is used up is lost with the caps of its run",
        "budget.py",
        "other.on_exhaustion or self.on_exhaustion",
        "other.on_exhaustion",
        (f"{BUDGET_GATES}::test_a_run_may_ask_where_its_graph_does_not_and_the_other_way_round",),
        CONTRACTS,
    ),
    # ---- steps and time ----
    Mutant(
        "a run takes a step more than its cap",
        "segment.py",
        "            if left > 0:\n",
        "            if left >= 0:\n",
        (f"{STEP_BUDGETS}::test_a_run_takes_no_step_more_than_its_cap",),
        RUNS_ROOM,
    ),
    Mutant(
        "each segment has a run's steps anew",
        "segment.py",
        "cap - before.count - len(self._admitted)",
        "cap - len(self._admitted)",
        (f"{STEP_BUDGETS}::{SEGMENTS_BEFORE}",),
        RUNS_ROOM,
    ),
    Mutant(
        "branches are counted one by one, and not together",
        "segment.py",
        "cap - before.count - len(self._admitted)",
        "cap - before.count",
        (f"{STEP_BUDGETS}::test_branches_that_do_not_all_fit_do_not_begin",),
        RUNS_ROOM,
    ),
    Mutant(
        "a step that LangGraph only tells of again counts",
        "segment.py",
        ' or told["id"] in before.succeeded:\n',
        ":\n",
        (f"{STEP_BUDGETS}::{SEGMENTS_BEFORE}",),
        RUNS_ROOM,
    ),
    Mutant(
        "a run that asks has come to its end",
        "segment.py",
        'if told["error"] is None and not told["interrupts"]:',
        'if told["error"] is None:',
        (f"{SEGMENTS}::test_a_step_that_waits_at_a_gate_is_parked_and_then_another_one",),
        RUNS_ROOM,
    ),
    Mutant(
        "a graph that stops before a node has come to its end",
        "driver.py",
        "compiled.interrupt_before_nodes or compiled.interrupt_after_nodes",
        "compiled.interrupt_after_nodes",
        (f"{SEGMENTS}::test_a_graph_that_stops_before_a_node_has_not_succeeded",),
        RUNS_ROOM,
    ),
    Mutant(
        "a graph in a node that stops has come to its end",
        "segment.py",
        '        self._open.add(told["id"])\n',
        "",
        (f"{SEGMENTS}::test_a_graph_in_a_node_that_stops_has_not_succeeded",),
        RUNS_ROOM,
    ),
    Mutant(
        "a step that waits counts each time",
        "steps.py",
        '.where(steps.c.run_id == bindparam("run"), is_over)',
        '.where(steps.c.run_id == bindparam("run"))',
        (f"{STEP_BUDGETS}::test_a_step_that_waits_for_people_is_one_step",),
    ),
    Mutant(
        "a raised cap is not found out by who had the old one",
        "gates/exhaustion.py",
        "    return None if is_raised else found\n",
        "    return found\n",
        (f"{STEP_BUDGETS}::test_a_cap_that_was_raised_meanwhile_is_found_out",),
        NODES,
    ),
    Mutant(
        "time is not counted where a run is let go",
        "driver.py",
        "            budgets.drove(connection, run, until=at)\n            return runs.move(",
        "            return runs.move(",
        (f"{STEP_BUDGETS}::test_a_run_that_takes_longer_than_its_cap_is_stopped",),
        RUNS_ROOM,
    ),
    Mutant(
        "the time of a lost worker does not count",
        "leases.py",
        "        _count_time(connection, stored.get(connection, run_id), at=at)\n",
        "",
        (f"{STEP_BUDGETS}::test_the_time_of_a_lost_worker_counts_to_the_end_of_its_lease",),
    ),
    Mutant(
        "the time in which all workers were away counts",
        "leases.py",
        "until=min(at, run.lease_expires_at or at)",
        "until=at",
        (f"{STEP_BUDGETS}::test_the_time_of_a_lost_worker_counts_to_the_end_of_its_lease",),
    ),
    Mutant(
        "a node that does not let itself be stopped keeps its run for ever",
        "beats.py",
        "                and not driving.is_stubborn\n",
        "",
        ((f"{CANCELLING}::test_a_node_that_does_not_let_itself_be_stopped_does_not_keep_its_run"),),
        RUNS_ROOM,
    ),
    Mutant(
        "what people raise gives no time",
        "allowance.py",
        "            if self.time is None or not limit.expired():\n                raise\n",
        "            raise\n",
        (f"{STEP_BUDGETS}::test_time_is_raised_at_a_gate",),
        RUNS_ROOM,
    ),
    # ---- traces ----
    *(
        Mutant(claim, module, old, new, (f"{CANARIES}::{test}",), TRACES)
        for claim, module, old, new, test in (
            (
                "a secret leaves in the key of an attribute",
                "cleaning.py",
                "        return self.name(key), _deep(self.text, value)\n",
                "        return key, _deep(self.text, value)\n",
                SECRETS,
            ),
            (
                "a secret leaves in the attribute of an event",
                "cleaning.py",
                "cleaner.attributes(each.attributes), each.timestamp",
                "each.attributes, each.timestamp",
                SECRETS,
            ),
            (
                "a secret leaves in the attribute of a link",
                "cleaning.py",
                "Link(_bare(each.context), cleaner.attributes(each.attributes))",
                "Link(_bare(each.context), each.attributes)",
                SECRETS,
            ),
            (
                "a secret leaves in the description of a status",
                "cleaning.py",
                "description and cleaner.text(description)",
                "description",
                SECRETS,
            ),
            (
                "a secret leaves as bytes",
                "cleaning.py",
                '        return show(value.decode(errors="replace"))\n',
                "        return value\n",
                SECRETS,
            ),
            (
                "a secret leaves in a list",
                "cleaning.py",
                "tuple(_deep(show, each) for each in",
                "tuple(each for each in",
                SECRETS,
            ),
            (
                "a secret leaves as a number",
                "cleaning.py",
                "    if isinstance(value, int | float) and not isinstance(value, bool):\n",
                "    if False:\n",
                "test_a_number_is_a_text_too",
            ),
            (
                "whoever a run acts for is named in digests",
                "cleaning.py",
                "self.name(text) == text and self._content is not TraceContent.DIGESTS",
                "self.name(text) == text",
                DIGESTS,
            ),
            (
                "a name that somebody has given a span leaves where digests stand for texts",
                "cleaning.py",
                "        return self.name(text) if is_known else _digest(text)\n",
                "        return self.name(text)\n",
                DIGESTS,
            ),
            (
                "a sensitive value leaves outside of the argument that it was",
                "hiding.py",
                "        self._learn(fields[name])\n",
                "",
                SENSITIVE,
            ),
        )
    ),
    Mutant(
        "a sensitive argument leaves in the message that asks for the call",
        "hiding.py",
        "        return self._within(plain) if self._fields else plain\n",
        "        return plain\n",
        ("tests/unit/traces/test_hiding.py",),
        TRACES,
    ),
    Mutant(
        "a graph that says nothing shows everything",
        "declare.py",
        "trace: TraceContent | str = TraceContent.REDACTED",
        "trace: TraceContent | str = TraceContent.FULL",
        (f"{CANARIES}::test_a_graph_that_says_nothing_is_redacted",),
        "graphs/penstock/graphs",
    ),
    Mutant(
        "what stands behind an escaped line's end is not found",
        "patterns.py",
        "        if edge.search(before) and not _ESCAPED.search(before):\n",
        "        if edge.search(before):\n",
        ("tests/unit/traces/test_patterns.py",),
        TRACES,
    ),
    Mutant(
        "a number that is no card hides one that begins in it",
        "patterns.py",
        "            at = found.start() + 1\n",
        "            at = found.end()\n",
        ("tests/unit/traces/test_patterns.py",),
        TRACES,
    ),
    Mutant(
        "a span that could not be cleaned leaves as it was",
        "cleaning.py",
        "            return None\n",
        "            return span\n",
        (f"{EXPORT}::test_a_span_that_cannot_be_cleaned_is_not_exported",),
        TRACES,
    ),
    Mutant(
        "the end of a process waits for a collector that does not answer",
        "pipeline.py",
        "        closing.join(within_s)\n",
        "        closing.join()\n",
        (f"{EXPORT}::test_a_collector_that_does_not_answer_changes_nothing_for_a_run",),
        TRACES,
    ),
    Mutant(
        "a run waits for a collector that does not answer",
        "pipeline.py",
        "import BatchSpanProcessor, SpanExporter",
        "import SimpleSpanProcessor as BatchSpanProcessor, SpanExporter",
        (f"{EXPORT}::test_spans_leave_on_a_thread_of_their_own",),
        TRACES,
    ),
    Mutant(
        "a gate is waited for in every segment",
        "recorded.py",
        "since is not None and gate.closed_at >= since",
        "since is not None",
        (f"{TREES}::test_two_gates_are_each_waited_for_once",),
        TRACES,
    ),
    Mutant(
        "a process of its own is not told of the call that it is a part of",
        "stages/execute.py",
        "                traceparent=call.span.traceparent(),\n",
        "",
        (f"{CONTEXT}::test_what_a_tool_calls_in_a_process_of_its_own_is_told_of_its_span",),
        NODES,
    ),
    Mutant(
        "whatever runs in a node counts as an attempt of it",
        "models/tries.py",
        "        if any(tag.startswith(NODE_TAG) for tag in tags or ()):\n",
        "        if metadata:\n",
        (f"{TREES}::test_a_step_says_how_often_langgraph_tried_its_node_again",),
        NODES,
    ),
    Mutant(
        "two segments are one span",
        "ids.py",
        '_span_id("segment", run_id, str(epoch))',
        '_span_id("segment", run_id)',
        (f"{TREES}::test_a_question_is_waited_for_too",),
        TRACES,
    ),
    Mutant(
        "what a lost worker could not write is missing",
        "recorded.py",
        "            self._lost(each, steps)\n",
        "            pass\n",
        (f"{TREES}::test_a_segment_whose_worker_was_lost_is_written_by_the_next",),
        TRACES,
    ),
    # ---- budgets ----
    Mutant(
        "what does not fit is held",
        "budget_sql.py",
        "    fits = taken + given <= cap\n",
        "    fits = given <= cap\n",
        (f"{BUDGETS}::test_what_is_held_cannot_be_held_again",),
    ),
    Mutant(
        "what calls under way hold is given away",
        "budget_sql.py",
        'budget_accounts.c[f"spent_{unit}"] + budget_accounts.c[f"held_{unit}"]\n',
        'budget_accounts.c[f"spent_{unit}"]\n',
        (f"{BUDGETS}::test_what_is_held_cannot_be_held_again",),
    ),
    Mutant(
        "a cap of zero is no cap",
        "budget_sql.py",
        "return or_(cap.is_(None), fits)",
        "return or_(cap.is_(None), cap == 0, fits)",
        (f"{BUDGETS}::test_a_cap_of_zero_is_zero",),
    ),
    Mutant(
        "another currency counts as that of the cap",
        "budget_sql.py",
        "or_(given == 0, budget_accounts",
        "or_(given >= 0, budget_accounts",
        (f"{BUDGETS}::test_another_currency_than_that_of_the_cap_does_not_fit",),
    ),
    Mutant(
        "an unknown price fits where money is capped",
        "budget_sql.py",
        'bindparam("is_priced", type_=Integer) == 1',
        'bindparam("is_priced", type_=Integer) >= 0',
        (f"{BUDGETS}::test_an_unknown_price_is_refused_only_where_money_is_capped",),
    ),
    Mutant(
        "a hold ends twice",
        "budget_sql.py",
        '            budget_holds.c.id == bindparam("of_id"),\n'
        "            budget_holds.c.status == HoldStatus.HELD,\n",
        '            budget_holds.c.id == bindparam("of_id"),\n',
        (f"{BUDGETS}::test_a_hold_is_taken_once_and_ends_once",),
    ),
    Mutant(
        "a call that is held still is held twice",
        "budget_sql.py",
        "        where=budget_holds.c.status != HoldStatus.HELD,\n",
        "",
        (f"{BUDGETS}::test_a_hold_is_taken_once_and_ends_once",),
    ),
    Mutant(
        "one account alone is asked",
        "budgets.py",
        "    for account in accounts:\n        while",
        "    for account in accounts[:1]:\n        while",
        (f"{BUDGETS}::test_all_accounts_hold_a_call_or_none",),
    ),
    Mutant(
        "a model's call of a lost worker stays held",
        "budgets.py",
        "budget_holds.c.epoch < fence.epoch",
        "budget_holds.c.epoch < 0",
        (f"{BUDGETS}::test_a_model_call_of_a_lost_worker_counts_as_used",),
    ),
    Mutant(
        "a worker ends what its own models hold",
        "budgets.py",
        "budget_holds.c.epoch < fence.epoch",
        "budget_holds.c.epoch <= fence.epoch",
        (f"{BUDGETS}::test_a_model_call_of_a_lost_worker_counts_as_used",),
    ),
    Mutant(
        "a tool's call ends with the lease",
        "budgets.py",
        "        budget_holds.c.kind == HoldKind.MODEL,\n",
        "",
        (f"{BUDGETS}::test_a_tool_call_of_a_lost_worker_stays_held",),
    ),
    Mutant(
        "what is in doubt is given back",
        "ledger/settle.py",
        "    if to is not EffectStatus.IN_DOUBT:\n        # What may",
        "    if to:\n        # What may",
        (f"{BUDGETS}::test_an_effect_in_doubt_keeps_its_hold_until_somebody_knows",),
    ),
    Mutant(
        "what failed is paid for",
        "ledger/settle.py",
        "happened=to is not EffectStatus.FAILED",
        "happened=bool(to)",
        (f"{BUDGETS}::test_an_effect_that_failed_spends_nothing_and_may_hold_again",),
    ),
    Mutant(
        "an effect begins without its budget",
        "calls/claim.py",
        "    if not call.undoes:\n        # A person",
        "    if call.undoes:\n        # A person",
        (f"{METERING}::test_a_tool_call_that_does_not_fit_is_refused_and_the_model_told",),
        NODES,
    ),
    Mutant(
        "a read that costs is made unasked",
        "stages/attempt.py",
        "call.tool.contract.cost is None and call.effect.spend is None",
        "call.effect.spend is None",
        (f"{METERING}::test_a_read_that_costs_is_reserved_before_it_is_made",),
        NODES,
    ),
    Mutant(
        "a model is called all the same",
        "models/metering.py",
        "    raise_error = True\n",
        "    raise_error = False\n",
        (f"{METERING}::test_a_model_is_not_called_where_nothing_can_be_reserved",),
        NODES,
    ),
    Mutant(
        "a graph goes on without a budget",
        "signals.py",
        "class BudgetExhausted(ControlSignal):",
        "class BudgetExhausted(Exception):",
        (f"{METERING}::test_nothing_in_a_graph_goes_on_without_a_budget",),
        CONTRACTS,
    ),
    Mutant(
        "what does not say what it used has used nothing",
        "models/metering.py",
        "            self._settle_whole(run_id, happened=True)\n            return\n",
        "            self._settle_whole(run_id, happened=False)\n            return\n",
        (f"{METERING}::test_a_model_that_does_not_say_what_it_used_has_used_the_worst",),
        NODES,
    ),
    Mutant(
        "what a call holds that was never made stays held",
        "driver.py",
        "            meter.ended()\n",
        "            pass\n",
        (f"{METERING}::test_what_a_call_holds_that_was_never_made_is_settled_with_its_segment",),
        RUNS_ROOM,
    ),
    # ---- policies ----
    Mutant(
        "a user of another tenant is let in",
        "compiled.py",
        "if not who.tenant or who.tenant != request.tenant:",
        "if not who.tenant:",
        DECISIONS,
        POLICIES,
    ),
    Mutant(
        "who has no tenant is in the tenant without a name",
        "compiled.py",
        "if not who.tenant or who.tenant",
        "if who.tenant",
        DECISIONS,
        POLICIES,
    ),
    Mutant(
        "a tool is called without its scopes",
        "compiled.py",
        "        if missing:\n",
        "        if missing and not request:\n",
        DECISIONS,
        POLICIES,
    ),
    Mutant(
        "a policy in shadow mode is enforced",
        "compiled.py",
        "if policy.id not in shadow]",
        "if policy.id]",
        DECISIONS,
        POLICIES,
    ),
    Mutant(
        "an error is not a deny",
        "judge.py",
        "        if answer.errors:\n            return self._error(answer.errors[0])\n",
        "",
        DECISIONS,
        POLICIES,
    ),
    Mutant(
        "a library that fails raises",
        "judge.py",
        "        except Exception as error:",
        "        except KeyError as error:",
        DECISIONS,
        POLICIES,
    ),
    Mutant(
        "a gate is a permit",
        "judge.py",
        "if not answer.is_allowed or not deciding:",
        "if not answer.is_allowed:",
        PROPERTIES,
        POLICIES,
    ),
    Mutant(
        "a forbid does not win",
        "judge.py",
        "if not answer.is_allowed or not deciding:",
        "if not deciding:",
        DECISIONS,
        POLICIES,
    ),
    Mutant(
        "a gate asks nobody",
        "judge.py",
        "verdict=Verdict.ASK if asking else Verdict.ALLOW",
        "verdict=Verdict.ALLOW",
        DECISIONS,
        POLICIES,
    ),
    Mutant(
        "one gate alone is asked",
        "judge.py",
        "for name in asking),",
        "for name in asking[:1]),",
        DECISIONS,
        POLICIES,
    ),
    Mutant(
        "a number is looked at that no policy looks at",
        "judge.py",
        "tool.seeing(_all(each.args for each in looks),",
        "tool.seeing(None,",
        DECISIONS,
        POLICIES,
    ),
    Mutant(
        "a fact is looked at that no policy looks at",
        "judge.py",
        "_all(each.facts for each in looks))",
        "None)",
        DECISIONS,
        POLICIES,
    ),
    Mutant(
        "what another policy looks at is not looked at",
        "judge.py",
        "        names |= each\n",
        "        names = each\n",
        (f"{DECISIONS[0]}::test_what_one_of_several_policies_looks_at_is_looked_at",),
        POLICIES,
    ),
    Mutant(
        "what a policy looks at as a whole is not looked at",
        "looks.py",
        "                whole.add(part)\n",
        "                whole.discard(part)\n",
        (
            f"{DECISIONS[0]}::test_a_policy_that_takes_all_arguments_at_once_looks_at_each",
            f"{DECISIONS[0]}::test_a_policy_that_takes_all_facts_at_once_looks_at_each",
        ),
        POLICIES,
    ),
    Mutant(
        "what a policy asks for with has is not looked at",
        "looks.py",
        "base_path = None if isinstance(base, pst.HasAttr) else _path(base)",
        "base_path = None",
        REFUSALS,
        POLICIES,
    ),
    Mutant(
        "an amount is rounded",
        "values.py",
        "    if not is_exact:",
        "    if not is_exact and place == '':",
        DECISIONS,
        POLICIES,
    ),
    Mutant(
        "an amount beyond decimals wraps",
        "values.py",
        "    if not LEAST_WHOLE <= scaled <= GREATEST_WHOLE:",
        "    if scaled == 0 and place == '':",
        DECISIONS,
        POLICIES,
    ),
    Mutant(
        "a whole number beyond 64 bits is given to Cedar",
        "values.py",
        "    if not LEAST_WHOLE <= value <= GREATEST_WHOLE:",
        "    if value == 0 and place == '':",
        DECISIONS,
        POLICIES,
    ),
    Mutant(
        "a missing argument is not missed",
        "values.py",
        "        elif field.is_required:",
        "        elif field.is_required and not place:",
        DECISIONS,
        POLICIES,
    ),
    Mutant(
        "a sensitive field is seen",
        "shapes.py",
        'if ".".join(self.path) in self.contract.sensitive:',
        "if not self.path:",
        SHAPES,
        POLICIES,
    ),
    Mutant(
        "a field claims to be an entity",
        "shapes.py",
        "if name in CEDARS_OWN:",
        "if not name:",
        SHAPES,
        POLICIES,
    ),
    Mutant(
        "a forbid may calculate",
        "lint.py",
        'if policy.tree.effect != "forbid" and policy.statement.set is not PolicySetName.GATES:',
        "if policy.statement.set is not PolicySetName.GATES:",
        REFUSALS,
        POLICIES,
    ),
    Mutant(
        "a gate may calculate",
        "lint.py",
        'if policy.tree.effect != "forbid" and policy.statement.set is not PolicySetName.GATES:',
        'if policy.tree.effect != "forbid":',
        REFUSALS,
        POLICIES,
    ),
    Mutant(
        "a field that is never there may be asked for",
        "lint.py",
        "    elif len(lacking) == len(tools):",
        "    elif not tools:",
        REFUSALS,
        POLICIES,
    ),
    Mutant(
        "a field that nobody sees may be asked for",
        "lint.py",
        "    if out:\n        left = out[0]",
        "    if out and not path:\n        left = out[0]",
        REFUSALS,
        POLICIES,
    ),
    Mutant(
        "a role that is none may be named",
        "lint.py",
        "if names is not None and name not in names:",
        "if names is None:",
        REFUSALS,
        POLICIES,
    ),
    Mutant(
        "a group that is none may decide",
        "annotations.py",
        "if groups is not None and told.get(name) and told[name] not in groups:",
        "if groups is None and told.get(name):",
        REFUSALS,
        POLICIES,
    ),
    Mutant(
        "a misspelt annotation is let through",
        "annotations.py",
        "        if name not in allowed:",
        "        if not name:",
        REFUSALS,
        POLICIES,
    ),
    Mutant(
        "a forbid may stand among the gates",
        "annotations.py",
        'if policy.tree.effect != "permit":',
        "if not policy.tree.effect:",
        REFUSALS,
        POLICIES,
    ),
    Mutant(
        "two policies have one id",
        "compile.py",
        "if policy.id and before is not policy:",
        "if not policy.id and before is not policy:",
        REFUSALS,
        POLICIES,
    ),
    Mutant(
        "a template is let through",
        "statements.py",
        "    if tree.templates:",
        "    if tree.templates and not statement.text:",
        REFUSALS,
        POLICIES,
    ),
    Mutant(
        "a link out of a folder is not followed",
        "facts/paths.py",
        "os.path.realpath(",
        "os.path.normpath(",
        FACTS,
        POLICIES,
    ),
    Mutant(
        "a relative path counts from where the worker is",
        "facts/paths.py",
        "if self.root is None and not os.path.isabs(path):",
        "if self.root is None and not path:",
        FACTS,
        POLICIES,
    ),
    Mutant(
        "a URL may name a user",
        "facts/hosts.py",
        'if "@" in parts.netloc:',
        "if not parts.netloc:",
        FACTS,
        POLICIES,
    ),
    Mutant(
        "a URL may have a backslash",
        "facts/hosts.py",
        "        if _UNSAFE.search(url):",
        "        if not url:",
        FACTS,
        POLICIES,
    ),
    Mutant(
        "a host may be a number",
        "facts/hosts.py",
        "if not _LAST_LABEL_IS_NUMBER.fullmatch(name):",
        "if name:",
        FACTS,
        POLICIES,
    ),
    Mutant(
        "an amount in money is rounded",
        "facts/money.py",
        "        if rest:",
        "        if rest and not where:",
        FACTS,
        POLICIES,
    ),
    Mutant(
        "a leaver keeps rights until a restart",
        "directory.py",
        "        if mark == self._mark:",
        "        if self._mark:",
        DIRECTORY,
        POLICIES,
    ),
    Mutant(
        "a user's scopes are not the agent's too",
        "directory.py",
        "            both = known.scopes & theirs",
        "            both = known.scopes | theirs",
        DIRECTORY,
        POLICIES,
    ),
    Mutant(
        "a member of another tenant is one",
        "directory.py",
        "return user is not None and user.tenant == tenant and group in user.groups",
        "return user is not None and group in user.groups",
        DIRECTORY,
        POLICIES,
    ),
    Mutant(
        "who is unknown is of the run's tenant",
        "directory.py",
        'user=user, agent=agent, tenant="", roles',
        'user=user, agent=agent, tenant="acme", roles',
        DIRECTORY,
        POLICIES,
    ),
    # ---- the fence ----
    Mutant(
        "an old epoch may write",
        "fence.py",
        "tuple(own[1:]) != (RunStatus.RUNNING, fence.epoch)",
        "own[1] != RunStatus.RUNNING",
        FENCE,
    ),
    Mutant(
        "a run that does not run may be written",
        "fence.py",
        "tuple(own[1:]) != (RunStatus.RUNNING, fence.epoch)",
        "own[2] != fence.epoch",
        FENCE,
    ),
    Mutant(
        "a run that does not exist may be written",
        "fence.py",
        "if own is None or tuple(own[1:])",
        "if own is None:\n                return\n            if tuple(own[1:])",
        FENCE,
    ),
    Mutant(
        "anybody may write to the thread of a live run",
        "fence.py",
        "if live is not None:",
        "if live is not None and fence is not None:",
        FENCE,
    ),
    Mutant(
        "a lease opens every thread",
        "fence.py",
        "            if own[0] == thread_id:\n                return",
        "            return",
        FENCE,
    ),
    Mutant(
        "checkpoints and writes are not fenced",
        "saver/changes.py",
        "        self._fences.check(connection, thread_id=lane.thread_id, fence=lane.fence)\n",
        "",
        FENCE,
    ),
    *(
        Mutant(
            f"a live thread can be changed: {what}",
            "saver/changes.py",
            f"        self._fences.check(connection, thread_id={thread}, fence=None)\n"
            f"        {then}",
            f"        {then}",
            FENCE,
        )
        for what, thread, then in (
            ("deleted", "thread_id", "delete_thread(connection, thread_id)"),
            ("copied onto", "target_id", "copy_thread(connection, source_id"),
            ("pruned", "thread_id", "self._thinning.keep_latest("),
        )
    ),
    Mutant(
        "the checkpoints of a live run can be deleted",
        "saver/changes.py",
        "            self._fences.check(connection, thread_id=thread_id, fence=None)\n",
        "            del thread_id\n",
        FENCE,
    ),
    Mutant(
        "an old driver may move its run",
        "run_sql.py",
        '                runs.c.epoch == bindparam("at_epoch"),\n',
        "",
        RUNS,
    ),
    Mutant(
        "a move does not look at the state",
        "run_sql.py",
        '                text(one_of("status", sources(to))),\n',
        "",
        RUNS,
    ),
    Mutant(
        "a claim leaves the epoch",
        "run_sql.py",
        "epoch=runs.c.epoch + 1",
        "epoch=runs.c.epoch",
        (*RUNS, *FENCE),
    ),
    Mutant(
        "a run is claimed twice",
        "run_sql.py",
        "            runs.c.status == RunStatus.QUEUED,\n            runs.c.pause_by.is_(None),\n",
        "            runs.c.pause_by.is_(None),\n",
        RUNS,
    ),
    # ---- runs ----
    Mutant(
        "two runs of a thread are driven at once",
        "leases.py",
        "                free,\n",
        "",
        RUNTIME,
    ),
    Mutant(
        "a worker drives a graph of another shape",
        "leases.py",
        "and_(runs.c.graph == name, runs.c.fingerprint == fingerprint)",
        "and_(runs.c.graph == name)",
        RUNTIME,
    ),
    Mutant(
        "a dead worker's runs stay with it",
        "leases.py",
        "runs.c.lease_expires_at < database_now(connection.dialect)",
        "runs.c.lease_expires_at > database_now(connection.dialect)",
        RUNTIME,
    ),
    Mutant(
        "a worker that lives keeps a run that it has given up",
        "leases.py",
        ".where(_is_held(worker), runs.c.id.in_(driven))",
        ".where(_is_held(worker))",
        RUNTIME,
    ),
    Mutant(
        "a run may take workers down for ever",
        "leases.py",
        "elif lost_count + 1 >= lost_limit:",
        "elif lost_count < 0:",
        RUNTIME,
    ),
    Mutant(
        "a closed gate is decided again",
        "gates/closing.py",
        "            gates.c.status == GateStatus.OPEN,\n"
        "            gates.c.kind != GateKind.APPROVAL,\n",
        "            gates.c.kind != GateKind.APPROVAL,\n",
        RUNTIME,
    ),
    Mutant(
        "a decision that comes while the run parks is not heard",
        "runs/moving.py",
        "if gates.any_closed(connection, waits_for):",
        "if not questions and gates.any_closed(connection, []):",
        RUNTIME,
    ),
    Mutant(
        "a cancellation that comes while the run parks is not heard",
        "runs/moving.py",
        "if run.cancel_by is not None:",
        "if run.cancel_by is not None and not questions:",
        RUNS,
    ),
    Mutant(
        "gates stay open when their run is over",
        "runs/moving.py",
        "        gates.cancel_open(connection, run.id, at=at, actor=actor)\n",
        "        pass\n",
        RUNTIME,
    ),
    Mutant(
        "an old driver writes steps",
        "steps.py",
        '        runs.c.epoch == bindparam("epoch"),\n',
        "",
        STEPS,
    ),
    Mutant(
        "steps are written of a run that is over",
        "steps.py",
        "        runs.c.status == RunStatus.RUNNING,\n",
        "",
        STEPS,
    ),
    Mutant(
        "a step that has succeeded is told of again",
        "steps.py",
        "            before.c.status == StepStatus.SUCCEEDED,\n",
        "            before.c.status == StepStatus.PARKED,\n",
        STEPS,
    ),
    # ---- versions kept as differences ----
    Mutant(
        "a version is built on bytes that are not stored",
        "saver/values.py",
        "        if self._sql.add_value(connection, namespace.id, channel, row):\n    ",
        "        self._sql.add_value(connection, namespace.id, channel, row)\n",
        CHECKPOINTER,
    ),
    Mutant(
        "a version is built on one that was undone",
        "saver/changes.py",
        "            self._values.heads.drop(namespace.key)\n",
        "",
        CHECKPOINTER,
    ),
    Mutant(
        "a version is built on one whose commit failed",
        "saver/changes.py",
        "                self._values.heads.clear()\n",
        "                pass\n",
        CHECKPOINTER,
    ),
    Mutant(
        "a version is built on one that was pruned by another process",
        "saver/sql.py",
        "return self.id, self.generation",
        "return self.id, 0",
        CHECKPOINTER,
    ),
    Mutant(
        "pruning begins no new generation",
        "saver/retention.py",
        "generation=ns.c.generation + 1",
        "generation=ns.c.generation",
        CHECKPOINTER,
    ),
    Mutant(
        "pruning leaves a version without its base",
        "saver/retention.py",
        "(channel, base) not in needed",
        "(channel, base) in needed",
        CHECKPOINTER,
    ),
    Mutant(
        "pruning takes away what a DeltaChannel rests on",
        "saver/retention.py",
        "open_channels = set(_delta_channels(row))",
        "open_channels = set[str]()",
        CHECKPOINTER,
    ),
    Mutant(
        "a difference is laid on any base",
        "saver/deltas.py",
        "if len(raw) != length:",
        "if len(raw) < 0:",
        DELTAS,
    ),
    Mutant(
        "the back of a value is counted into its front",
        "saver/deltas.py",
        "_shared_back(raw, base, limit - front)",
        "_shared_back(raw, base, limit)",
        DELTAS,
    ),
    Mutant(
        "a chain of keys is never ended by a whole version",
        "saver/deltas.py",
        "if head.key_count < KEYS and",
        "if",
        DELTAS,
    ),
    Mutant(
        "keys rest on links, so that chains grow without bound",
        "saver/deltas.py",
        "base, head = key, Version(",
        "base, head = after, Version(",
        DELTAS,
    ),
    Mutant(
        "after a restart the chain of versions does not go on",
        "saver/values.py",
        "if head is None and not is_first:",
        "if head is None and is_first:",
        CHECKPOINTER,
    ),
    Mutant(
        "a checkpoint rests on a value that is not stored",
        "saver/values.py",
        "if not self._sql.has_version(",
        "if not version and not self._sql.has_version(",
        CHECKPOINTER,
    ),
    Mutant(
        "a missing version is guessed",
        "saver/values.py",
        "if not chain or chain[0].base is not None:",
        "if not chain:",
        CHECKPOINTER,
    ),
    Mutant(
        "a new thread takes the place of a deleted one in memory",
        "migrations/versions/0001_runs_and_checkpoints.py",
        "        sqlite_autoincrement=True,\n",
        "",
        CHECKPOINTER,
    ),
    Mutant(
        "the newest checkpoint is the one with the greatest id",
        "saver/sql.py",
        "order_by(cp.c.seq.desc())",
        "order_by(cp.c.checkpoint_id.desc())",
        CHECKPOINTER,
    ),
    # ---- writes answered early ----
    Mutant(
        "a lane that lost a write takes the next",
        "saver/lanes.py",
        "        if self._losses:\n            self._raise_if_lost(lane, reading=False)\n",
        "",
        LANES,
    ),
    Mutant(
        "a loss is forgotten before anybody was told",
        "saver/lanes.py",
        "if reading and loss.told:",
        "if reading:",
        LANES,
    ),
    Mutant(
        "an early write that failed is taken for told",
        "saver/checkpointer.py",
        "told=False)",
        "told=True)",
        CHECKPOINTER,
    ),
    Mutant(
        "a lane is not closed by a failure",
        "saver/changes.py",
        "            self._lanes.lose(lane, failure, told=told)\n",
        "",
        CHECKPOINTER,
    ),
    Mutant(
        "a reader without the lease opens the lane",
        "saver/lanes.py",
        "                if lane.fence is not None:\n    ",
        "",
        LANES,
    ),
    Mutant(
        "a new lease inherits the losses of the old",
        "saver/lanes.py",
        "                    del self._losses[lane.place]\n                return\n            if",
        "                    pass\n                return\n            if",
        LANES,
    ),
    Mutant(
        "a reader does not wait for what was answered early",
        "saver/checkpointer.py",
        "        self._lanes.answer_early(record.lane, hand_in)\n",
        "        hand_in()\n",
        CHECKPOINTER,
    ),
    Mutant(
        "how a task ended is answered early",
        "saver/records.py",
        'not c.startswith("__") or c in _PLAIN_CHANNELS',
        "bool(c) or c in _PLAIN_CHANNELS",
        CHECKPOINTER,
    ),
    # ---- the writer ----
    Mutant(
        "a failed commit is acknowledged",
        "writer.py",
        "return [_Answer(request, None, failure) for request, failure in failures]",
        "return [_Answer(request, None, None) for request, _ in failures]",
        WRITER,
    ),
    Mutant(
        "a change that raised is not undone",
        "writer.py",
        'driver.execute("ROLLBACK TO SAVEPOINT change")\n',
        "pass\n",
        WRITER,
    ),
    Mutant(
        "nobody is told when a commit fails",
        "writer.py",
        "                request.tell(failure)\n            return",
        "                pass\n            return",
        WRITER,
    ),
    # ---- the reader ----
    Mutant(
        "a read that failed spoils the next",
        "reader.py",
        "self._kept.abandon()",
        "pass",
        WRITER,
    ),
    Mutant(
        "a read leaves its transaction open",
        "reader.py",
        "self._database.commit(connection)",
        "pass",
        WRITER,
    ),
    # ---- the database ----
    Mutant(
        "a commit does not wait for the disk",
        "sqlite.py",
        '"synchronous = FULL"',
        '"synchronous = NORMAL"',
        ("tests/integration/test_migrations.py",),
    ),
    Mutant(
        "a write transaction begins as a read",
        "sqlite.py",
        'driver.execute("BEGIN IMMEDIATE")',
        'driver.execute("BEGIN")',
        WRITER,
    ),
    # ---- the ledger ----
    Mutant(
        "a worker that lost its lease begins calls",
        "ledger/begin.py",
        "    require_lease(connection, fence)\n",
        "",
        LEDGER,
    ),
    Mutant(
        "a call with other arguments is the same call",
        "ledger/begin.py",
        "is_same = found.digest == new.digest",
        "is_same = found.digest != ''",
        LEDGER,
    ),
    Mutant(
        "a call that was cut off is repeated whatever its class",
        "ledger/begin.py",
        "        return False\n    if new.effect is not",
        "        return True\n    if new.effect is not",
        LEDGER,
    ),
    Mutant(
        "a keyed call is repeated when its key is forgotten",
        "ledger/begin.py",
        "return now < found.first_started_at + left",
        "return now < found.first_started_at + left + timedelta(days=1)",
        LEDGER,
    ),
    Mutant(
        "a key is thought to live until the next attempt begins, not until it lands",
        "ledger/begin.py",
        "new.key_lifetime_s - new.timeout_s - new.margin_s",
        "new.key_lifetime_s",
        LEDGER,
    ),
    Mutant(
        "what failed for good is tried again unasked",
        "ledger/begin.py",
        "case EffectStatus.FAILED if found.error_retryable or not is_same:",
        "case EffectStatus.FAILED:",
        LEDGER,
    ),
    Mutant(
        "a key of business protects nothing",
        "migrations/versions/0003_effects.py",
        '"business_key"],\n        unique=True',
        '"business_key"],\n        unique=False',
        LEDGER,
    ),
    Mutant(
        "another key of business is not kept",
        "ledger/sql.py",
        '            business_key=bindparam("business_key"),\n',
        "",
        LEDGER,
    ),
    Mutant(
        "a key of business that was taken meanwhile is not looked at",
        "ledger/sql.py",
        "            ~is_taken,\n",
        "",
        LEDGER,
    ),
    Mutant(
        "an old attempt settles the new one",
        "ledger/sql.py",
        '            effects.c.attempt == bindparam("of_attempt"),\n',
        "",
        LEDGER,
    ),
    Mutant(
        "a recorded result is overwritten",
        "ledger/sql.py",
        '            effects.c.attempt == bindparam("of_attempt"),\n'
        '            effects.c.status == bindparam("found"),\n',
        '            effects.c.attempt == bindparam("of_attempt"),\n'
        '            bindparam("found", type_=effects.c.status.type) != "",\n',
        LEDGER,
    ),
    Mutant(
        "what is to be undone can be settled otherwise",
        "ledger/sql.py",
        '            effects.c.wants_undoing == bindparam("undoes"),\n',
        '            effects.c.wants_undoing >= bindparam("undoes"),\n',
        LEDGER,
    ),
    Mutant(
        "a late report is refused",
        "ledger/settle.py",
        "for found in (EffectStatus.STARTED, EffectStatus.IN_DOUBT):",
        "for found in (EffectStatus.STARTED,):",
        LEDGER,
    ),
    Mutant(
        "a late report leaves its gate open",
        "ledger/settle.py",
        "        if found is EffectStatus.IN_DOUBT:\n",
        "        if found is to:\n",
        LEDGER,
    ),
    Mutant(
        "a call has failed though an attempt before may have happened",
        "ledger/settle.py",
        "if attempt > 1 and _is_left_open(connection, key, attempt - 1):",
        "if attempt < 1 and _is_left_open(connection, key, attempt - 1):",
        LEDGER,
    ),
    Mutant(
        "a doubt asks nobody",
        "ledger/settle.py",
        "    gates.open_doubt(\n",
        "    len(new.answer_schema) or gates.open_doubt(\n",
        LEDGER,
    ),
    Mutant(
        "a doubt is told of twice, by a gate that is there",
        "gates/asking.py",
        "    if added.first() is not None:\n        gate = get(connection, gate_id)",
        "    if added is not None:\n        gate = get(connection, gate_id)",
        LEDGER,
    ),
    Mutant(
        "all attempts share one gate",
        "ledger/reading.py",
        'told = f"{key}|{attempt}".encode()',
        'told = f"{key}|{attempt * 0}".encode()',
        LEDGER,
    ),
    Mutant(
        "a person decides while the attempt may still land",
        "ledger/resolve.py",
        "if now < effect.settles_at:",
        "if now < effect.started_at:",
        LEDGER,
    ),
    Mutant(
        "what a person says did not happen is tried again",
        "ledger/resolve.py",
        '"error_retryable": int(answer is Doubt.RETRY),',
        '"error_retryable": int(answer in {Doubt.DID_NOT, Doubt.RETRY}),',
        LEDGER,
    ),
    Mutant(
        "an attempt that goes on may not land any more",
        "ledger/settle.py",
        "        .values(settles_at=database_now(connection.dialect, plus_s=by_s))\n",
        "        .values(settles_at=effects.c.settles_at)\n",
        LEDGER,
    ),
    Mutant(
        "an attempt that goes on is looked up all the same",
        "ledger/settle.py",
        "    gates.postpone(connection, gate_id_of(key, attempt), by_s=by_s)\n",
        "",
        LEDGER,
    ),
    Mutant(
        "nobody looks again after a look-up that could not tell",
        "ledger/resolve.py",
        "    gates.wake_later(connection, gate_of(effect), after_s=next_s)\n",
        "    _ = (gates, gate_of(effect), next_s)\n",
        LEDGER,
    ),
    Mutant(
        "what is asked about an effect is cancelled with its run",
        "gates/closing.py",
        "            gates.c.kind != GateKind.IN_DOUBT,\n",
        "",
        LEDGER,
    ),
    # ---- the chain of a tool call ----
    Mutant(
        "a read that was recorded is not recalled",
        "stages/recall.py",
        "        if effect is None or now is None:\n",
        "        if effect is None or now is None or effect.effect == 'read':\n",
        (f"{EFFECTS}::test_a_read_that_was_recorded_is_not_done_again",),
        NODES,
    ),
    Mutant(
        "an effect in doubt is not recalled",
        "stages/recall.py",
        "        if effect is None or now is None:\n",
        "        if effect is None or now is None or effect.status is EffectStatus.IN_DOUBT:\n",
        (f"{EFFECTS}::test_a_look_up_that_finds_it_settles_the_doubt",),
        NODES,
    ),
    Mutant(
        "an effect in doubt that can be looked up is not",
        "stages/clear_up.py",
        "if call.tool.probe is None or call.doubted.may_land:",
        "if call.doubted.may_land or not call.doubted.may_land:",
        (f"{EFFECTS}::test_a_look_up_that_finds_it_settles_the_doubt",),
        NODES,
    ),
    Mutant(
        "an effect is looked up while it may still land",
        "stages/clear_up.py",
        "if call.tool.probe is None or call.doubted.may_land:",
        "if call.tool.probe is None:",
        (f"{EFFECTS}::test_nothing_is_looked_up_while_it_may_still_land",),
        NODES,
    ),
    Mutant(
        "a call that is under way is started again",
        "run_calls.py",
        "        if under_way is None:\n",
        "        if under_way is None or under_way.call.effect.digest:\n",
        (f"{EFFECTS}::test_a_call_that_is_under_way_is_joined",),
        NODES,
    ),
    Mutant(
        "whoever gives up a call cancels it for all",
        "run_calls.py",
        "return await asyncio.shield(under_way.task)",
        "return await under_way.task",
        (f"{CANCELLING}::test_what_ends_in_its_own_way_when_it_is_stopped_is_settled",),
        NODES,
    ),
    Mutant(
        "a segment ends before its calls are settled",
        "run_calls.py",
        "        while self._in_flight:\n            await",
        "        while self._in_flight and not self._attempts.closing.is_set():\n            await",
        (f"{EFFECTS}::test_a_segment_ends_only_when_its_calls_have_been_settled",),
        NODES,
    ),
    Mutant(
        "a call that did not end in time has failed",
        "stages/execute.py",
        "    if call.effect.effect is EffectClass.READ:\n",
        "    if call.effect.effect is EffectClass.READ or code == 'timeout':\n",
        (f"{EFFECTS}::test_a_coroutine_that_does_not_end_in_time_is_stopped_and_in_doubt",),
        NODES,
    ),
    Mutant(
        "an error that says nothing is taken for a failure",
        "stages/execute.py",
        "    if call.effect.effect is EffectClass.READ:\n",
        "    if call.effect.effect is EffectClass.READ or code == 'tool_raised':\n",
        (f"{EFFECTS}::test_an_untyped_error_of_an_unsafe_tool_puts_it_in_doubt_and_asks",),
        NODES,
    ),
    Mutant(
        "a call that blocks counts as over at its deadline",
        "stages/execute.py",
        "                self.late(underway, late.running, self)\n",
        "                pass\n",
        (f"{EFFECTS}::test_a_blocking_call_without_a_margin_may_land_as_long_as_it_goes_on",),
        NODES,
    ),
    Mutant(
        "an unsafe call is tried again after any failure, which is then forgotten",
        "stages/attempt.py",
        "again = plan.after is RetryAfter.ANY and call.effect.effect in REPEATABLE",
        "again = call.effect.effect in REPEATABLE or plan.after is not RetryAfter.ANY",
        (f"{EFFECTS}::test_an_untyped_error_of_an_unsafe_tool_puts_it_in_doubt_and_asks",),
        NODES,
    ),
    Mutant(
        "an attempt that comes too late after its begin is made",
        "stages/attempt.py",
        "if time.monotonic() - asked_s > call.effect.timeout_s:",
        "if asked_s > time.monotonic():",
        (f"{EFFECTS}::test_an_attempt_that_its_worker_begins_too_late_is_not_made",),
        NODES,
    ),
    Mutant(
        "a call with a key of business in doubt counts as done",
        "calls/known.py",
        "if effect.status in {EffectStatus.STARTED, EffectStatus.IN_DOUBT}:",
        "if effect.status is EffectStatus.COMPENSATED:",
        (f"{EFFECTS}::test_a_key_of_business_whose_call_is_in_doubt_is_busy",),
        NODES,
    ),
    Mutant(
        "the mark of a transaction is written after its commit",
        "calls/transaction.py",
        "        connection.execute(update(_marks)",
        "    with engine.begin() as connection:\n        connection.execute(update(_marks)",
        (f"{EFFECTS}::test_a_transaction_that_was_committed_is_not_made_again",),
        NODES,
    ),
    Mutant(
        "a transaction that was committed is made again",
        "calls/transaction.py",
        "        if done is not None:\n            return done\n",
        "        if done is not None:\n"
        "            connection.execute(_marks.delete().where(_marks.c.key == key))\n",
        (f"{EFFECTS}::test_a_transaction_that_was_committed_is_not_made_again",),
        NODES,
    ),
    Mutant(
        "a call has failed though its failure says only that this attempt has",
        "stages/attempt.py",
        "if settled.status is EffectStatus.FAILED:",
        "if settled.status is not EffectStatus.SUCCEEDED:",
        (f"{EFFECTS}::test_a_keyed_call_has_not_failed_when_an_attempt_before_may_have_happened",),
        NODES,
    ),
    Mutant(
        "a call that goes on is not prolonged",
        "stragglers.py",
        "ahead_s = max(effect.margin_s, LEAST_S)",
        "ahead_s = effect.margin_s",
        (f"{EFFECTS}::test_a_blocking_call_without_a_margin_may_land_as_long_as_it_goes_on",),
        NODES,
    ),
    # ---- notices and links ----
    Mutant(
        "a link is good for ever",
        "links.py",
        "if now >= until:",
        "if now is until:",
        LINKS,
    ),
    Mutant(
        "a link leads everybody there",
        "links.py",
        ".scalar_one() != person:",
        ".scalar_one() == nonce:",
        LINKS,
    ),
    Mutant(
        "anybody can sign a link",
        "links.py",
        "self._serializer.loads(token)",
        "self._serializer.loads_unsafe(token)[1]",
        LINKS,
        "runs/penstock/runs",
    ),
    Mutant(
        "people are told of gates that were closed",
        "notices.py",
        "notices.c.attempt_count < ATTEMPT_LIMIT, _asks(connection))",
        "notices.c.attempt_count < ATTEMPT_LIMIT)",
        NOTICES,
    ),
    Mutant(
        "a notice is sent by everybody who looks for one",
        "notices.py",
        "due_at=database_now(connection.dialect, plus_s=TAKEN_S)",
        "due_at=notices.c.due_at",
        NOTICES,
    ),
    Mutant(
        "a notice is tried for ever",
        "notices.py",
        "if notice.attempt_count >= ATTEMPT_LIMIT:",
        "if notice.attempt_count > ATTEMPT_LIMIT:",
        NOTICES,
    ),
    Mutant(
        "a copy of a thread has no past",
        "saver/changes.py",
        "        ledger.descend(connection, ThreadId(target_id), of=ThreadId(source_id))\n",
        "",
        (f"{EFFECTS}::test_a_copy_of_a_thread_does_not_do_again_what_was_done",),
    ),
    Mutant(
        "a copy asks one after another about what was done",
        "stages/lineage.py",
        "        if done is None:\n",
        "        if done is None or done.key:\n",
        (f"{APPROVALS}::test_a_copy_that_does_the_same_asks_everybody_at_one_gate",),
        NODES,
    ),
    # ---- gates ----
    Mutant(
        "a vote comes after the time",
        "gates/voting.py",
        "    if gate.expires_at is not None and now >= gate.expires_at:\n        raise GateClosed(",
        "    if gate.expires_at is not None and now < gate.opened_at:\n        raise GateClosed(",
        refused("a vote comes after the time, and nobody has noticed"),
    ),
    Mutant(
        "a vote counts for what was not seen",
        "gates/voting.py",
        "    if binding != gate.binding:\n",
        "    if not binding:\n",
        refused("a stale tab approves"),
    ),
    Mutant(
        "a vote comes at a closed gate",
        "gates/voting.py",
        "    if gate.status is not GateStatus.OPEN:\n        raise GateClosed(how_closed(gate))\n",
        "",
        refused("an approval comes after a rejection", "a vote comes at a gate whose run is over"),
    ),
    Mutant(
        "a question is answered by a vote",
        "gates/voting.py",
        "    if gate.kind is not GateKind.APPROVAL:\n",
        "    if gate.kind is None:\n",
        refused("a vote comes where an answer is wanted"),
    ),
    Mutant(
        "a vote is changed",
        "gates/voting.py",
        "    if earlier is not None:\n        raise VoteRefused(",
        "    if earlier is None and not ballot.person:\n        raise VoteRefused(",
        refused("a vote is changed"),
    ),
    Mutant(
        "an ordinary vote breaks the glass",
        "gates/voting.py",
        "    if ballot.channel is Channel.BREAK_GLASS:\n",
        "    if ballot.channel is None:\n",
        refused("an ordinary vote says that it breaks the glass"),
    ),
    Mutant(
        "a rejection needs no reason",
        "gates/voting.py",
        'if ballot.kind is not VoteKind.APPROVE and not (ballot.reason or "").strip():',
        "if ballot.kind is not VoteKind.APPROVE and ballot.reason is None:",
        refused("a rejection has no reason"),
    ),
    Mutant(
        "who has a part in a call approves it",
        "gates/voting.py",
        "        _refuse_interested(connection, gate, {ballot.person, seat})\n",
        "        _ = seat\n",
        refused("the requester approves", "the editor approves"),
    ),
    Mutant(
        "whose seat is lent may have a part in the call",
        "gates/voting.py",
        "_refuse_interested(connection, gate, {ballot.person, seat})",
        "_refuse_interested(connection, gate, {ballot.person})",
        refused("somebody approves for the requester's seat"),
    ),
    Mutant(
        "who votes for another seat may have a part in the call",
        "gates/voting.py",
        "_refuse_interested(connection, gate, {ballot.person, seat})",
        "_refuse_interested(connection, gate, {seat})",
        refused("the requester approves for another seat"),
    ),
    Mutant(
        "the requester approves what was edited",
        "gates/voting.py",
        "if gate.requester in concerned and (is_edited or not gate.may_confirm_self):",
        "if gate.requester in concerned and not gate.may_confirm_self:",
        refused("the requester approves what was edited though they may else"),
    ),
    Mutant(
        "only the last editor may not approve",
        "gates/reading.py",
        "        gates.c.edit_of_digest == gate.edit.of_digest,\n",
        "        gates.c.edit_of_digest == gate.edit.of_digest,\n        gates.c.id == gate.id,\n",
        refused("who edited before another approves"),
    ),
    Mutant(
        "a seat votes twice",
        "gates/voting.py",
        "    if taken is not None:\n        raise VoteRefused(",
        "    if taken is None and not seat:\n        raise VoteRefused(",
        refused("somebody votes whose seat was voted for"),
    ),
    Mutant(
        "whoever comes has a seat",
        "gates/voting.py",
        "    if any(has(group, person) for group in groups):\n",
        "    if groups:\n",
        refused("an outsider approves", "an outsider edits"),
    ),
    Mutant(
        "whoever is lent a seat has one that is none",
        "gates/voting.py",
        "        if any(has(group, lender) for group in groups):\n",
        "        if groups:\n",
        refused("somebody approves for who has left the group", "a seat is lent on"),
    ),
    Mutant(
        "whom it is escalated to decides before",
        "gates/voting.py",
        "    if gate.escalated_at is not None and gate.escalates_to is not None:\n",
        "    if gate.escalates_to is not None:\n",
        refused("whom it is escalated to approves before"),
    ),
    Mutant(
        "one approval is enough",
        "gates/voting.py",
        "for vote in approving) >= count\n",
        "for vote in approving) >= min(count, 1)\n",
        (f"{APPROVALS}::test_a_call_happens_once_all_have_approved",),
    ),
    Mutant(
        "anybody breaks the glass",
        "gates/voting.py",
        "    if not has(BREAK_GLASS, ballot.person):\n",
        "    if not ballot.person:\n",
        refused("somebody breaks the glass who may not"),
    ),
    Mutant(
        "who has a part in a call breaks the glass",
        "gates/voting.py",
        "    _refuse_interested(connection, gate, {ballot.person})\n",
        "",
        refused("the requester breaks the glass", "the editor breaks the glass"),
    ),
    Mutant(
        "the glass is broken without a word",
        "gates/voting.py",
        '    if not (ballot.reason or "").strip():\n        raise VoteRefused("who',
        '    if ballot.reason is None:\n        raise VoteRefused("who',
        refused("the glass is broken without a reason"),
    ),
    Mutant(
        "who has rejected is told that the glass is broken",
        "gates/voting.py",
        "    if gate.is_approved and gate.decided_by == ballot.person:\n",
        "    if gate.decided_by == ballot.person:\n",
        refused("who has rejected breaks the glass"),
    ),
    Mutant(
        "anybody lends anybody's seat",
        "gates/delegating.py",
        "    if by != from_person:\n",
        "    if not by:\n",
        refused("somebody lends the seat of another to themselves"),
    ),
    Mutant(
        "anybody takes a seat back",
        "gates/delegating.py",
        "    if by not in {lent.from_person, lent.to_person} and not",
        "    if not by and not",
        refused("a stranger takes a lent seat back"),
    ),
    Mutant(
        "a seat is used before it is lent",
        "gates/delegating.py",
        "        delegations.c.starts_at <= now,\n",
        "",
        refused("a seat is used before it is lent"),
    ),
    Mutant(
        "a seat is used after it was lent",
        "gates/delegating.py",
        "        delegations.c.ends_at > now,\n",
        "",
        refused("a seat is used after it was lent"),
    ),
    Mutant(
        "a seat is used that was taken back",
        "gates/delegating.py",
        "        delegations.c.to_person == person,\n        delegations.c.revoked_at.is_(None),\n",
        "        delegations.c.to_person == person,\n",
        refused("a seat is used that was taken back"),
    ),
    Mutant(
        "a seat is used at another gate",
        "gates/delegating.py",
        "        or_(delegations.c.gate_id.is_(None), delegations.c.gate_id == gate.id),\n",
        '        or_(delegations.c.gate_id.is_(None), delegations.c.gate_id != ""),\n',
        refused("a seat is used at another gate than it was lent for"),
    ),
    Mutant(
        "a seat is used in another tenant",
        "gates/delegating.py",
        "        delegations.c.tenant == gate.tenant,\n",
        "",
        refused("a seat is used that was lent in another tenant"),
    ),
    Mutant(
        "an approval counts for another call",
        "gates/consuming.py",
        "    if gate.binding != binding:\n",
        "    if not binding:\n",
        refused("a call begins with the approval of another"),
    ),
    Mutant(
        "a call begins without an approval",
        "gates/consuming.py",
        "    if gate.status is not GateStatus.DECIDED or not gate.is_approved:\n",
        "    if gate.status is GateStatus.EXPIRED:\n",
        refused("a call begins without an approval", "a call begins that was rejected"),
    ),
    Mutant(
        "an approval counts after its time",
        "gates/consuming.py",
        "    if gate.expires_at is not None and now >= gate.expires_at:\n",
        "    if gate.expires_at is None:\n",
        refused("a call begins after its approval is over"),
    ),
    Mutant(
        "who approved need not be there any more",
        "gates/consuming.py",
        "    if not has_quorum(gate, votes_of(connection, gate.id), has=has):\n",
        "    if not has_quorum(gate, votes_of(connection, gate.id), has=lambda *_: bool(has)):\n",
        refused(
            "a call begins though who approved has left",
            "a call begins though who broke the glass has left",
        ),
    ),
    Mutant(
        "a call that asks for votes takes an answer",
        "gates/closing.py",
        "            gates.c.kind != GateKind.APPROVAL,\n            or_(\n",
        "            or_(\n",
        refused("an operator answers where votes are wanted"),
    ),
    Mutant(
        "an approval that was used up is taken back",
        "gates/closing.py",
        ".where(gates.c.id.in_(gate_ids), gates.c.consumed_at.is_(None))",
        ".where(gates.c.id.in_(gate_ids))",
        (f"{APPROVALS}::test_the_last_edit_counts_where_one_before_was_used_up",),
    ),
    Mutant(
        "the run of a copied thread closes the gates of the other",
        "gates/closing.py",
        "        gates.c.run_id == run_id,\n        gates.c.effect_key == key,\n",
        "        gates.c.effect_key == key,\n",
        (f"{APPROVALS}::test_a_copy_asks_for_itself_and_leaves_the_gate_of_the_other_run_alone",),
    ),
    Mutant(
        "a gate that was not decided in time is not asked again",
        "gates/closing.py",
        "        gates.c.status.in_([GateStatus.CANCELLED, GateStatus.EXPIRED]),\n",
        "        gates.c.status == GateStatus.CANCELLED,\n",
        (f"{APPROVALS}::test_a_run_fails_where_the_policy_says_so_and_a_redrive_asks_again",),
    ),
    Mutant(
        "what was refused is forgotten when something else is asked",
        "gates/closing.py",
        "if gate.status is GateStatus.OPEN or gate.is_approved]",
        "if gate.id]",
        (f"{APPROVALS}::test_what_was_refused_stays_refused_though_others_were_asked_about",),
    ),
    Mutant(
        "a call begins under a policy that is not any more",
        "calls/claim.py",
        "        if policies.active_digest(connection, run.graph) != decided.policy_digest:\n",
        "        if policies.active_digest(connection, run.graph) is None:\n",
        refused("a call begins under a policy that is not any more"),
        NODES,
    ),
    Mutant(
        "an approval is not used up",
        "calls/claim.py",
        "        if why is not None:\n",
        "        if why is not None and not call.consent.gate_id:\n",
        refused("a call begins without an approval"),
        NODES,
    ),
    Mutant(
        "an approval outlives its policy",
        "calls/binding.py",
        "            decided.policy_digest,\n",
        "",
        (f"{APPROVALS}::test_another_policy_that_asks_asks_anew",),
        NODES,
    ),
    Mutant(
        "an approval counts for other arguments",
        "calls/binding.py",
        "            digest,\n            decided",
        "            decided",
        refused("a call begins with other arguments"),
        NODES,
    ),
    Mutant(
        "an approval counts for another call of the run",
        "calls/binding.py",
        "            decided.effect_key,\n",
        "",
        refused("a call begins with the approval of its like"),
        NODES,
    ),
    Mutant(
        "a call happens while it waits for people",
        "stages/approve.py",
        "        if gate.status is GateStatus.OPEN:\n            raise parked(",
        "        if gate.status is None:\n            raise parked(",
        (f"{APPROVALS}::test_a_call_that_was_approved_happens_once_while_another_waits",),
        NODES,
    ),
    Mutant(
        "a rejection counts only as long as people would be asked",
        "stages/approve.py",
        "        if refused is not None:\n"
        "            return refused\n"
        "        if not (rules or call.edit):\n",
        "        if refused is not None and rules:\n"
        "            return refused\n"
        "        if not (rules or call.edit):\n",
        (
            f"{APPROVALS}::test_a_rejected_call_does_not_happen_because_nobody_would_be_asked_any_more",
        ),
        NODES,
    ),
    Mutant(
        "a rejection counts under its own policy alone",
        "stages/approve.py",
        'then = replace(decided, policy_digest=gate.policy_digest or "")',
        "then = replace(decided, policy_digest=decided.policy_digest)",
        (f"{APPROVALS}::test_a_rejected_call_does_not_happen_under_a_policy_that_would_allow_it",),
        NODES,
    ),
    Mutant(
        "what asks about a call that happens goes on asking",
        "stages/approve.py",
        "            await self._withdraw(call, decided)\n",
        "",
        (f"{APPROVALS}::test_another_policy_that_allows_lets_the_call_happen",),
        NODES,
    ),
    Mutant(
        "an approval counts that asked too few",
        "stages/approve.py",
        "        return covers(gate, terms_of(rules, self.acting.run.principal))\n",
        "        return bool(covers(gate, terms_of(rules, self.acting.run.principal))) or True\n",
        (
            f"{APPROVALS}::test_more_are_asked_where_the_run_reads_strangers_words_after_an_approval",
        ),
        NODES,
    ),
    Mutant(
        "a worker without its lease asks people",
        "stages/approve.py",
        "        require_lease(connection, run.fence)\n",
        "        _ = require_lease\n",
        refused("a worker without its lease asks people"),
        NODES,
    ),
    Mutant(
        "people are asked under a policy that is not any more",
        "stages/approve.py",
        "        if not is_same or asked != call.asked:\n",
        "        if asked != call.asked:\n",
        (f"{APPROVALS}::test_nobody_is_asked_under_a_policy_that_is_not_any_more",),
        NODES,
    ),
    Mutant(
        "a response lets the call happen",
        "stages/approve.py",
        "        case VoteKind.APPROVE:\n            return None\n        case VoteKind.RESPOND:\n",
        "        case VoteKind.APPROVE | VoteKind.RESPOND:\n"
        "            return None\n"
        "        case None:\n",
        (f"{APPROVALS}::test_a_response_stands_in_place_of_the_result",),
        NODES,
    ),
    Mutant(
        "silence lets a run go on that is to fail",
        "stages/approve.py",
        "        case GateStatus.EXPIRED if gate.on_expiry is OnExpiry.FAIL:\n",
        "        case GateStatus.EXPIRED if gate.on_expiry is None:\n",
        (
            f"{APPROVALS}::test_a_tool_node_that_swallows_errors_does_not_go_on_past_a_gate_that_fails_the_run",
        ),
        NODES,
    ),
    Mutant(
        "whoever has a call undone is asked once more",
        "stages/approve.py",
        "        if call.undoes:\n            return await following(call)\n",
        "",
        (f"{APPROVALS}::test_nobody_is_asked_once_more_before_a_call_is_undone",),
        NODES,
    ),
    Mutant(
        "a call that is denied happens",
        "stages/authorize.py",
        "        elif decided.decision.verdict is Verdict.DENY:\n",
        "        elif not decided.decision.verdict:\n",
        (f"{APPROVALS}::test_a_call_that_is_denied_does_not_happen",),
        NODES,
    ),
    Mutant(
        "a call that began and is denied is said to be refused",
        "stages/authorize.py",
        "        if isinstance(outcome, Refused) and call.begun is not None:\n",
        "        if isinstance(outcome, Refused) and call.begun is None and call.doubted:\n",
        (f"{APPROVALS}::test_a_call_that_began_and_is_denied_then_is_in_doubt_and_not_refused",),
        NODES,
    ),
    Mutant(
        "an edit that was used up takes the place of the last",
        "calls/amend.py",
        "for gate in reversed(asked)",
        "for gate in asked",
        (f"{APPROVALS}::test_the_last_edit_counts_where_one_before_was_used_up",),
        NODES,
    ),
    Mutant(
        "an edited call is made with what it was",
        "calls/amend.py",
        "if gate.edit is not None and gate.edit.of_digest == call.effect.digest",
        "if gate.edit is not None and gate.edit.of_digest == call.effect.key",
        (f"{APPROVALS}::test_an_edited_call_is_made_with_the_new_arguments",),
        NODES,
    ),
    Mutant(
        "an edit makes a call that is denied",
        "gates/editing.py",
        "    if decided.decision.verdict is Verdict.DENY:\n",
        "    if not decided.decision.verdict:\n",
        refused("an edit makes a call that is denied"),
        NODES,
    ),
    Mutant(
        "an edit guesses at what nobody is shown",
        "gates/editing.py",
        "    if tool.contract.sensitive and HIDDEN in shown:\n",
        "    if not shown and HIDDEN in shown:\n",
        refused("an edit is of arguments that nobody is shown"),
        NODES,
    ),
    Mutant(
        "an edit asks fewer than were asked",
        "gates/approvals.py",
        "    rules = [*asking.rules, *([] if before is None else rules_of(before))]\n",
        "    rules = [*asking.rules] or rules_of(before)  # type: ignore[arg-type]\n",
        (f"{APPROVALS}::test_an_edit_asks_all_who_were_asked_before_it",),
        NODES,
    ),
    Mutant(
        "anybody edits",
        "approvals.py",
        "            gates.seat_of(connection, gate, by, has=self._has(gate), now=now)\n",
        "",
        refused("an outsider edits"),
        RUNS_ROOM,
    ),
    Mutant(
        "an edit comes too late",
        "approvals.py",
        "            gates.require_open(gate, binding, now=now)\n",
        "            _ = (binding, now)\n",
        refused("an edit comes after the approval", "a stale tab edits"),
        RUNS_ROOM,
    ),
    Mutant(
        "anybody says what became of a call",
        "questions.py",
        "    if not is_own and not people.has(OPERATORS, person, gate.tenant):\n",
        "    if not is_own and not person:\n",
        refused(
            "the requester says what became of a call", "an outsider answers what a graph asks"
        ),
        RUNS_ROOM,
    ),
    Mutant(
        "a run that is to fail goes on",
        "sweeping.py",
        "    fails = gate.on_expiry is OnExpiry.FAIL or",
        "    fails =",
        (f"{APPROVALS}::test_a_run_fails_where_the_policy_says_so_and_a_redrive_asks_again",),
        RUNS_ROOM,
    ),
    Mutant(
        "a decision wakes nobody",
        "approvals.py",
        "            if is_decided:\n",
        "            if is_decided and not gate.id:\n",
        (f"{APPROVALS}::test_a_call_happens_once_all_have_approved",),
        RUNS_ROOM,
    ),
    # ---- what tools ask ----
    Mutant(
        "the calls of a message race for each other's answers",
        "gates/asking.py",
        "            interrupt_counter=self._count,\n",
        "            interrupt_counter=shared.interrupt_counter,\n",
        (f"{QUESTIONS}::test_what_is_answered_before_anybody_goes_on_is_not_crossed",),
        NODES,
    ),
    Mutant(
        "a node gets the answers of its calls",
        "gates/asking.py",
        "if each[0] != RESUME]",
        "if each[0] != NAMESPACE]",
        (f"{QUESTIONS}::test_a_node_that_asks_after_its_calls_does_not_get_their_answers",),
        NODES,
    ),
    Mutant(
        "a call goes on with the graph of its sibling",
        "gates/asking.py",
        "            subgraph_counter=self._subgraphs,\n",
        "            subgraph_counter=shared.subgraph_counter,\n",
        (
            f"{QUESTIONS}::test_a_graph_that_a_call_runs_is_its_own_though_its_siblings_have_finished",
        ),
        NODES,
    ),
    Mutant(
        "an answer counts for other arguments",
        "gates/questions.py",
        "{call.effect.key}|{call.effect.digest}|",
        "{call.effect.key}|",
        (f"{QUESTIONS}::test_an_answer_is_for_the_arguments_that_were_asked_about",),
        NODES,
    ),
    Mutant(
        "an answer counts for a copy of the thread",
        "gates/questions.py",
        'told = f"{run_id}|',
        'told = f"{run_id[:0]}|',
        (f"{QUESTIONS}::test_a_copy_of_a_thread_asks_for_itself",),
        NODES,
    ),
    Mutant(
        "a worker without its lease asks",
        "gates/questions.py",
        "            require_lease(connection, run.fence)\n",
        "            _ = (require_lease, run.fence)\n",
        (f"{QUESTIONS}::test_a_worker_without_its_lease_asks_nobody",),
        NODES,
    ),
    Mutant(
        "an answer that comes while its run is on its way to another gate is not seen",
        "driver.py",
        "sorted({*waits(state, known), *waits_for})",
        "sorted({*waits(state, known)})",
        (f"{QUESTIONS}::test_an_answer_that_comes_before_its_run_waits_lets_it_go_on",),
        RUNS_ROOM,
    ),
    Mutant(
        "a redriven run waits at gates that are closed",
        "gates/asking.py",
        "if added.first() is not None or _reopened(connection, question.id):",
        "if added.first() is not None:",
        (f"{QUESTIONS}::test_what_was_open_when_its_run_failed_is_asked_again_by_a_redrive",),
    ),
    Mutant(
        "an edit makes a call one of another tool",
        "gates/forms.py",
        '"name": {"const": action.name, "title": "Tool"},',
        '"name": {"type": "string", "title": "Tool"},',
        FORMS,
        NODES,
    ),
    Mutant(
        "what may be decided about a call may be decided about another",
        "gates/forms.py",
        "        return [review.allowed_decisions for review in reviews]\n",
        "        return [reviews[0].allowed_decisions for _ in reviews]\n",
        FORMS,
        NODES,
    ),
    # ---- cancellations, pauses, deadlines ----
    Mutant(
        "a cancelled run waits for its calls",
        "driving.py",
        "        if why in _HALTING:\n",
        "        if why in _HALTING and not why.name:\n",
        (f"{CANCELLING}::test_a_running_async_tool_is_stopped_and_in_doubt",),
        RUNS_ROOM,
    ),
    Mutant(
        "a call begins after its run was cancelled",
        "run_calls.py",
        "        if halt.is_asked:\n",
        "        if halt.is_asked and not halt.why:\n",
        (f"{CANCELLING}::test_a_call_that_comes_after_its_run_was_cancelled_is_not_begun",),
        NODES,
    ),
    Mutant(
        "a function is called that was to stop before it began",
        "stages/execute.py",
        "        if halt.is_asked:\n",
        "        if halt.is_asked and not halt.why:\n",
        (f"{CANCELLING}::test_a_call_that_was_begun_and_not_started_has_failed",),
        NODES,
    ),
    Mutant(
        "what goes on after its run was cancelled is never settled",
        "stages/execute.py",
        "            if stopped.running is not None:\n",
        "            if stopped.running is not None and not halt.why:\n",
        (f"{CANCELLING}::test_what_blocks_a_thread_goes_on_and_settles_when_it_ends",),
        NODES,
    ),
    Mutant(
        "nobody asks about a call whose worker died and whose run was cancelled",
        "cancelled.py",
        "    if run.status is RunStatus.CANCELLED:\n",
        "    if run.status is RunStatus.CANCELLED and not run.id:\n",
        (f"{CANCELLING}::test_a_call_of_a_queued_run_is_in_doubt_when_that_is_cancelled",),
        RUNS_ROOM,
    ),
    Mutant(
        "a worker goes on with a run that was paused",
        "beats.py",
        "    return Why.PAUSED if held.is_paused else None\n",
        "    return None\n",
        (f"{PAUSING}::test_a_run_that_is_paused_while_it_is_driven_goes_back_to_the_queue",),
        RUNS_ROOM,
    ),
    Mutant(
        "time at a gate counts for the deadline",
        "runs/moving.py",
        "    put_off(connection, run, by=at - run.changed_at)\n",
        "",
        (f"{PAUSING}::test_time_at_a_gate_does_not_count",),
    ),
    # ---- what Phoenix is told, and what runs beside it ----
    Mutant(
        "a decision is told of while its run is in the queue, without a span",
        "annotations.py",
        "            runs.c.status != RunStatus.QUEUED,\n",
        "",
        (f"{ANNOTATIONS}::test_a_decision_is_to_be_told_once_its_run_goes_on",),
    ),
    Mutant(
        "a decision is told of while its run still waits, without a span",
        "annotations.py",
        "            runs.c.changed_at > gates.c.closed_at,\n",
        "",
        (f"{ANNOTATIONS}::test_a_decision_is_to_be_told_once_its_run_goes_on",),
    ),
    Mutant(
        "a worker gives up what another has taken since",
        "annotations.py",
        "        connection.execute(_open(annotation).where(is_own).values(given_up))\n",
        "        connection.execute(_open(annotation).values(given_up))\n",
        (f"{ANNOTATIONS}::test_no_trouble_is_heard_of_by_whom_another_has_taken_it_from",),
    ),
    Mutant(
        "a worker puts back what another has taken since",
        "annotations.py",
        "        .where(annotations.c.attempt_count == annotation.attempt_count)\n",
        "",
        (f"{ANNOTATIONS}::test_no_trouble_is_heard_of_by_whom_another_has_taken_it_from",),
    ),
    Mutant(
        "secrets in why a run failed are told",
        "annotating.py",
        "        explanation=redacted(said) if said and shows_texts else None,\n",
        "        explanation=said if said and shows_texts else None,\n",
        (f"{ANNOTATING}::test_secrets_in_words_are_not_told",),
        RUNS_ROOM,
    ),
    Mutant(
        "words are told of a graph whose traces show digests",
        "annotating.py",
        "        shows_texts = self._content(run) is not TraceContent.DIGESTS\n",
        "        shows_texts = bool(self._content(run))\n",
        (f"{ANNOTATING}::test_where_traces_show_digests_no_words_are_told",),
        RUNS_ROOM,
    ),
    Mutant(
        "a Phoenix that is down uses all attempts up",
        "annotating.py",
        "                await self._put_back(taken[number:])\n",
        "",
        (f"{ANNOTATING}::test_nobody_there_costs_no_attempt",),
        RUNS_ROOM,
    ),
    Mutant(
        "the environment opens Phoenix to other machines",
        "environment.py",
        '    return {**_with({"PYTHONUNBUFFERED": "1", **added}), **fixed}\n',
        '    return {**fixed, **_with({"PYTHONUNBUFFERED": "1", **added})}\n',
        (f"{DEV}::test_phoenix_is_told_to_stay_on_this_machine_and_an_operator_may_say_the_rest",),
        "ui/penstock/ui/dev",
    ),
    Mutant(
        "programs outlive a supervisor that was killed",
        "leash.py",
        "        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0)\n",
        "",
        (f"{SUPERVISE}::test_nothing_outlives_a_supervisor_that_was_killed",),
        "ui/penstock/ui/dev",
    ),
    Mutant(
        "what a program started outlives it",
        "supervise.py",
        "            finally:\n                self.kill()\n",
        "            finally:\n",
        (f"{SUPERVISE}::test_what_a_part_started_ends_with_it",),
        "ui/penstock/ui/dev",
    ),
]


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of this checkout's rooms and tests."""

    folder: Path
    pytest: WarmPytest

    def run(self, tests: Sequence[str], *, timeout_s: float = 110) -> tuple[int, str]:
        """Run tests of the copy on SQLite, and stop at the first that fails."""
        options = ("-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "--timeout=20")
        return self.pytest.run([*options, "-k", "not postgresql", *tests], timeout_s=timeout_s)


@pytest.fixture(scope="session")
def checkout_copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """The copy that all mutants are made in, one after another."""
    copy = tmp_path_factory.mktemp("mutant")
    (copy / "examples" / "refund_desk").mkdir(parents=True)
    for folder in (*ROOMS, "tests"):
        shutil.copytree(
            ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__", "mutants")
        )
        # Compiled once for all sessions; what a mutant changes is seen by its hash.
        compileall.compile_dir(
            copy / folder, quiet=1, invalidation_mode=PycInvalidationMode.CHECKED_HASH
        )
    shutil.copy(ROOT / "pyproject.toml", copy)
    env = {"PATH": "", "HOME": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    sessions = WarmPytest(copy, env=env)
    yield Copy(copy, sessions)
    sessions.close()


@pytest.mark.timeout(1300)
def test_the_tests_pass_where_nothing_is_broken(checkout_copy: Copy) -> None:
    tests = sorted({test for mutant in MUTANTS for test in mutant.tests})
    code, told = checkout_copy.run(tests, timeout_s=1200)
    assert code == pytest.ExitCode.OK, told


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: re.sub(r"\W+", "_", mutant.claim))
def test_a_test_fails_where(checkout_copy: Copy, mutant: Mutant) -> None:
    check(checkout_copy, mutant)


def check(checkout_copy: Copy, mutant: Mutant) -> None:
    """Make a mutant, and make sure that one of its tests fails."""
    path = checkout_copy.folder / mutant.folder / mutant.module
    whole = path.read_text()
    assert whole.count(mutant.old) == 1, f"`{mutant.old}` stands {whole.count(mutant.old)} times"
    broken = whole.replace(mutant.old, mutant.new)
    compile(broken, path, "exec")
    path.write_text(broken)
    try:
        code, told = checkout_copy.run(mutant.tests)
    finally:
        path.write_text(whole)
    assert code == pytest.ExitCode.TESTS_FAILED, told
    assert "error" not in told.splitlines()[-1], told
