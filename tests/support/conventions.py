"""OpenInference's conventions, as its own package has them."""

import json
import re
from collections.abc import Iterable

from openinference.semconv import resource as resources
from openinference.semconv.trace import (
    DocumentAttributes,
    MessageAttributes,
    OpenInferenceMimeTypeValues,
    OpenInferenceSpanKindValues,
    SpanAttributes,
    ToolCallAttributes,
)
from opentelemetry.sdk.trace import ReadableSpan

from penstock.traces import names
from penstock.traces.names import KINDS, SpanName

PROMISED = frozenset(
    {
        *(names.RUN_ID, names.STEP_ID, names.MODEL, names.TOOL, names.BUDGET_TOKENS_REMAINING),
        *(names.TIMEOUT_MS, names.RETRY_COUNT, names.POLICY_DECISION, names.HUMAN_GATE),
    }
)


def values(*classes: type) -> frozenset[str]:
    """Return the names that classes of the package have."""
    return frozenset(
        value
        for each in classes
        for name, value in vars(each).items()
        if name.isupper() and isinstance(value, str)
    )


SPAN = values(SpanAttributes) | {ToolCallAttributes.TOOL_CALL_ID}
RESOURCE = values(resources.ResourceAttributes)
_PART = "|".join(
    sorted(
        map(
            re.escape,
            values(MessageAttributes, ToolCallAttributes, DocumentAttributes)
            - {MessageAttributes.MESSAGE_TOOL_CALLS},
        )
    )
)
_LISTS = re.compile(
    rf"(?:{re.escape(names.INPUT_MESSAGES)}|{re.escape(names.OUTPUT_MESSAGES)}"
    rf"|{re.escape(names.DOCUMENTS)})\.\d+\."
    rf"(?:{re.escape(MessageAttributes.MESSAGE_TOOL_CALLS)}\.\d+\.)?(?:{_PART})"
)


def unknown(keys: Iterable[str]) -> set[str]:
    """Return the attributes that are neither promised, nor Penstock's own, nor OpenInference's."""
    return {
        key
        for key in keys
        if key not in PROMISED | SPAN
        and not key.startswith("penstock.")
        and not _LISTS.fullmatch(key)
    }


def check(span: ReadableSpan) -> None:
    """Make sure that a span is as OpenInference wants it."""
    about = dict(span.attributes or {})
    assert unknown(about) == set()
    kind = about[SpanAttributes.OPENINFERENCE_SPAN_KIND]
    assert kind in {each.value for each in OpenInferenceSpanKindValues}
    assert kind == KINDS[SpanName(span.name)]
    assert isinstance(json.loads(str(about[SpanAttributes.METADATA])), dict)
    assert isinstance(about[SpanAttributes.TAG_TAGS], tuple)
    types = {each.value for each in OpenInferenceMimeTypeValues}
    for value, mime in (
        (SpanAttributes.INPUT_VALUE, SpanAttributes.INPUT_MIME_TYPE),
        (SpanAttributes.OUTPUT_VALUE, SpanAttributes.OUTPUT_MIME_TYPE),
    ):
        assert (value in about) == (mime in about)
        assert about.get(mime, "text/plain") in types
    for key in (key for key in about if key.startswith("llm.token_count.")):
        assert isinstance(about[key], int)
    resource = span.resource.attributes
    assert set(resource) - {names.CONTENT} <= RESOURCE | {
        key for key in resource if key.startswith(("service.", "telemetry."))
    }
