"""The names of spans and of what they say. `docs/traces.md` has the same as a table.

Those without a prefix are Penstock's promise: dashboards and alerts may rest on them. Those of
OpenInference make Phoenix show spans well; OpenTelemetry's `gen_ai` are added where wanted.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class SpanName(StrEnum):
    """What a span is about."""

    RUN = "agent.run"
    """A segment of a run: from a claim to a gate or an end."""
    STEP = "agent.step"
    """One execution of a node."""
    MODEL = "llm.call"
    """A call of a model."""
    TOOL = "tool.call"
    """A tool call, or its recall."""
    RETRIEVAL = "retrieval.query"
    """A query of a retriever."""
    POLICY = "policy.check"
    """What a policy says of a tool call."""
    WAIT = "approval.wait"
    """A gate, from the moment of asking; written when the run goes on."""


class Kind(StrEnum):
    """OpenInference's kinds of spans, as far as there are spans of them."""

    AGENT = "AGENT"
    CHAIN = "CHAIN"
    GUARDRAIL = "GUARDRAIL"
    LLM = "LLM"
    RETRIEVER = "RETRIEVER"
    TOOL = "TOOL"


KINDS: Mapping[SpanName, Kind] = MappingProxyType(
    {
        SpanName.RUN: Kind.AGENT,
        SpanName.STEP: Kind.CHAIN,
        SpanName.MODEL: Kind.LLM,
        SpanName.TOOL: Kind.TOOL,
        SpanName.RETRIEVAL: Kind.RETRIEVER,
        SpanName.POLICY: Kind.GUARDRAIL,
        SpanName.WAIT: Kind.CHAIN,
    }
)


class EventName(StrEnum):
    """What is told in the middle of a span."""

    ATTEMPT_FAILED = "attempt_failed"
    """An attempt of a tool call came to nothing; another may follow."""
    RECALLED = "recalled"
    """The call was made before; its recorded result was returned."""
    LEASE_LOST = "lease_lost"
    """Another worker drives the run; whatever this one wrote since was refused."""
    TAKEOVER = "takeover"
    """The segment goes on from that of a worker that was lost."""


# ---- promised ----

RUN_ID = "run_id"
STEP_ID = "step_id"
"""LangGraph's id of the node's execution."""
MODEL = "model"
TOOL = "tool"
BUDGET_TOKENS_REMAINING = "budget_tokens_remaining"
"""Tokens that the run may still use, as far as it is known in this segment."""
TIMEOUT_MS = "timeout_ms"
RETRY_COUNT = "retry_count"
"""Attempts after the first; of a run, workers that were lost with it."""
POLICY_DECISION = "policy_decision"
"""`allow`, `ask` or `deny`."""
HUMAN_GATE = "human_gate"
"""The id of the gate, or of several with a comma between them."""

# ---- Penstock's own, beside them ----

GRAPH = "penstock.graph"
SEGMENT = "penstock.segment"
"""Which claim of the run it is, from 1: the epoch."""
WORKER = "penstock.worker"
RUN_STATUS = "penstock.run_status"
FAILURE = "penstock.failure"
"""The code with which a run failed."""
NODE = "penstock.node"
"""The node's path from the top."""
STEP_KIND = "penstock.step_kind"
STEP_STATUS = "penstock.step_status"
EFFECT_CLASS = "penstock.effect_class"
EFFECT_KEY = "penstock.effect_key"
OUTCOME = "penstock.outcome"
"""`done`, `refused`, `failed`, `in_doubt` or `waiting`; with a code after a colon."""
RECALLED = "penstock.recalled"
POLICY_VERSION = "penstock.policy_digest"
POLICY_REASONS = "penstock.policy_reasons"
POLICY_SHADOW = "penstock.policy_shadow"
"""What it would be with the policies in shadow mode."""
GATE_KIND = "penstock.gate_kind"
GATE_STATUS = "penstock.gate_status"
GATE_DECISION = "penstock.gate_decision"
DECIDED_BY = "penstock.decided_by"
ATTEMPT = "penstock.attempt"
MESSAGE = "penstock.message"
LEFT_OUT = "penstock.messages_left_out"
"""How many messages of a long conversation are not on the span."""
CONTENT = "penstock.trace_content"
"""On the resource: how much of the texts leaves the process."""

# ---- OpenInference ----

KIND = "openinference.span.kind"
PROJECT = "openinference.project.name"
"""On the resource: Phoenix's project, which is the graph."""
SESSION_ID = "session.id"
"""The thread."""
USER_ID = "user.id"
METADATA = "metadata"
TAGS = "tag.tags"
INPUT = "input.value"
INPUT_TYPE = "input.mime_type"
OUTPUT = "output.value"
OUTPUT_TYPE = "output.mime_type"
AGENT_NAME = "agent.name"
MODEL_NAME = "llm.model_name"
PROVIDER = "llm.provider"
PARAMETERS = "llm.invocation_parameters"
INPUT_MESSAGES = "llm.input_messages"
OUTPUT_MESSAGES = "llm.output_messages"
TOKENS_PROMPT = "llm.token_count.prompt"
TOKENS_COMPLETION = "llm.token_count.completion"
TOKENS_TOTAL = "llm.token_count.total"
TOKENS_CACHE_READ = "llm.token_count.prompt_details.cache_read"
TOKENS_CACHE_WRITE = "llm.token_count.prompt_details.cache_write"
COST_TOTAL = "llm.cost.total"
TOOL_NAME = "tool.name"
TOOL_DESCRIPTION = "tool.description"
TOOL_PARAMETERS = "tool.parameters"
CALL_ID = "tool_call.id"
DOCUMENTS = "retrieval.documents"

JSON_TYPE = "application/json"
TEXT_TYPE = "text/plain"

# ---- OpenTelemetry's, behind a switch ----

GEN_AI: Mapping[str, str] = MappingProxyType(
    {
        SESSION_ID: "gen_ai.conversation.id",
        AGENT_NAME: "gen_ai.agent.name",
        MODEL_NAME: "gen_ai.request.model",
        PROVIDER: "gen_ai.provider.name",
        TOKENS_PROMPT: "gen_ai.usage.input_tokens",
        TOKENS_COMPLETION: "gen_ai.usage.output_tokens",
        TOOL_NAME: "gen_ai.tool.name",
        TOOL_DESCRIPTION: "gen_ai.tool.description",
        CALL_ID: "gen_ai.tool.call.id",
    }
)
"""What is said again under another name. The library has deprecated its constants for these."""

GEN_AI_OPERATION = "gen_ai.operation.name"
GEN_AI_OPERATIONS: Mapping[str, str] = MappingProxyType(
    {
        SpanName.RUN: "invoke_agent",
        SpanName.MODEL: "chat",
        SpanName.TOOL: "execute_tool",
    }
)

STRUCTURAL = frozenset(
    {
        *(RUN_ID, STEP_ID, MODEL, TOOL, BUDGET_TOKENS_REMAINING, TIMEOUT_MS, RETRY_COUNT),
        *(POLICY_DECISION, HUMAN_GATE, GRAPH, SEGMENT, WORKER, RUN_STATUS, FAILURE, NODE),
        *(STEP_KIND, STEP_STATUS, EFFECT_CLASS, EFFECT_KEY, OUTCOME, RECALLED, POLICY_VERSION),
        *(POLICY_REASONS, POLICY_SHADOW, GATE_KIND, GATE_STATUS, GATE_DECISION, ATTEMPT),
        *(LEFT_OUT, CONTENT, KIND, PROJECT, SESSION_ID, TAGS, INPUT_TYPE, OUTPUT_TYPE),
        *(AGENT_NAME, MODEL_NAME, PROVIDER, TOKENS_PROMPT, TOKENS_COMPLETION, TOKENS_TOTAL),
        *(TOKENS_CACHE_READ, TOKENS_CACHE_WRITE, COST_TOTAL, TOOL_NAME, CALL_ID),
    }
)
"""What is said whole where digests stand for texts: it was written by no user and no model."""
