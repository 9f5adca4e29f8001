"""What spans show, and how they are joined."""

from support.mutants import Mutant

CANARIES = "tests/integration/traces/test_canaries.py"
CONTEXT = "tests/integration/traces/test_context.py"
EXPORT = "tests/integration/traces/test_export.py"
TREES = "tests/integration/traces/test_trees.py"
HIDING = "tests/unit/redaction/test_fields.py"
PATTERNS = "tests/unit/redaction/test_patterns.py"

MUTANTS = [
    Mutant(
        "a secret leaves in the key of an attribute",
        at="_Cleaner._attribute",
        old="self.name(key)",
        new="key",
        killed_by=[f"{CANARIES}::test_secrets_are_taken_out_of_everything"],
    ),
    Mutant(
        "a secret leaves in the attribute of an event",
        at="RedactingExporter._cleaned",
        old=(
            "Event(cleaner.title(each.name), cleaner.attributes(each.attributes), each.timestamp)"
        ),
        new="Event(cleaner.title(each.name), each.attributes, each.timestamp)",
        killed_by=[f"{CANARIES}::test_secrets_are_taken_out_of_everything"],
    ),
    Mutant(
        "a secret leaves in the attribute of a link",
        at="RedactingExporter._cleaned",
        old="Link(_bare(each.context), cleaner.attributes(each.attributes))",
        new="Link(_bare(each.context), each.attributes)",
        killed_by=[f"{CANARIES}::test_secrets_are_taken_out_of_everything"],
    ),
    Mutant(
        "a secret leaves in the description of a status",
        at="RedactingExporter._cleaned",
        old="description and cleaner.text(description)",
        new="description",
        killed_by=[f"{CANARIES}::test_secrets_are_taken_out_of_everything"],
    ),
    Mutant(
        "a secret leaves as bytes",
        at="_deep",
        old="show(value.decode(errors='replace'))",
        new="value",
        killed_by=[f"{CANARIES}::test_secrets_are_taken_out_of_everything"],
    ),
    Mutant(
        "a secret leaves in a list",
        at="_deep",
        old="_deep(show, each)",
        new="each",
        killed_by=[f"{CANARIES}::test_secrets_are_taken_out_of_everything"],
    ),
    Mutant(
        "a secret leaves as a number",
        at="_deep",
        old="isinstance(value, int | float) and not isinstance(value, bool)",
        new="False",
        killed_by=[f"{CANARIES}::test_a_number_is_a_text_too"],
    ),
    Mutant(
        "whoever a run acts for is named in digests",
        at="_Cleaner._identity",
        old="self._content is not TraceContent.DIGESTS",
        new="",
        killed_by=[f"{CANARIES}::test_digests_show_no_word_of_any_text"],
    ),
    Mutant(
        "a name that somebody has given a span leaves where digests stand for texts",
        at="_Cleaner.title",
        old="self.name(text) if is_known else _digest(text)",
        new="self.name(text)",
        killed_by=[f"{CANARIES}::test_digests_show_no_word_of_any_text"],
    ),
    Mutant(
        "a sensitive value leaves outside of the argument that it was",
        at="Masking.mask_arguments",
        old="self._remember(owner[path[-1]])",
        new="",
        killed_by=[f"{CANARIES}::test_sensitive_values_are_taken_out_of_everything"],
    ),
    Mutant(
        "a sensitive argument leaves in the message that asks for the call",
        at="Masking.mask_calls",
        old="self._mask_calls(plain) if self._fields else plain",
        new="plain",
        killed_by=[HIDING],
    ),
    Mutant(
        "a graph that says nothing shows everything",
        at="declare",
        old="TraceContent.REDACTED",
        new="TraceContent.FULL",
        killed_by=[f"{CANARIES}::test_a_graph_that_says_nothing_is_redacted"],
    ),
    Mutant(
        "what stands behind an escaped line's end is not found",
        at="_is_one",
        old="edge.search(before) and not _ESCAPED.search(before)",
        new="edge.search(before)",
        killed_by=[PATTERNS],
    ),
    Mutant(
        "a number that is no card hides one that begins in it",
        at="_without",
        old="found.start() + 1",
        new="found.end()",
        killed_by=[PATTERNS],
    ),
    Mutant(
        "a span that could not be cleaned leaves as it was",
        at="RedactingExporter._clean",
        old="return None",
        new="return span",
        killed_by=[f"{EXPORT}::test_a_span_that_cannot_be_cleaned_is_not_exported"],
    ),
    Mutant(
        "the end of a process waits for a collector that does not answer",
        at="Pipeline.close",
        old="closing.join(within_s)",
        new="closing.join()",
        killed_by=[f"{EXPORT}::test_a_collector_that_does_not_answer_changes_nothing_for_a_run"],
    ),
    Mutant(
        "a run waits for a collector that does not answer",
        at="traces.pipeline",
        old="from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter",
        new="""
            from opentelemetry.sdk.trace.export import (
                SimpleSpanProcessor as BatchSpanProcessor,
                SpanExporter,
            )
        """,
        killed_by=[f"{EXPORT}::test_spans_leave_on_a_thread_of_their_own"],
    ),
    Mutant(
        "a gate is waited for in every segment",
        at="RecordedSegment.record_history",
        old="gate.closed_at >= since",
        new="",
        killed_by=[f"{TREES}::test_two_gates_are_each_waited_for_once"],
    ),
    Mutant(
        "a process of its own is not told of the call that it is a part of",
        at="Execute._run",
        old="traceparent=call.span.traceparent()",
        new="",
        killed_by=[
            f"{CONTEXT}::test_what_a_tool_calls_in_a_process_of_its_own_is_told_of_its_span"
        ],
    ),
    Mutant(
        "whatever runs in a node counts as an attempt of it",
        at="NodeAttempts.on_chain_start",
        old="any(tag.startswith(NODE_TAG) for tag in tags or ())",
        new="metadata",
        killed_by=[f"{TREES}::test_a_step_says_how_often_langgraph_tried_its_node_again"],
    ),
    Mutant(
        "two segments are one span",
        at="segment_span_id",
        old="str(epoch)",
        new="",
        killed_by=[f"{TREES}::test_a_question_is_waited_for_too"],
    ),
    Mutant(
        "what a lost worker could not write is missing",
        at="RecordedSegment.record_history",
        old="self._lost(each, steps)",
        new="pass",
        killed_by=[f"{TREES}::test_a_segment_whose_worker_was_lost_is_written_by_the_next"],
    ),
]
