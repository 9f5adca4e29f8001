"""Nodes: what a tool is, and how a call of one reaches the run that carries it out.

Importing this does not import LangGraph. `penstock.nodes.pipeline` carries out the calls.
"""

from penstock.contracts.call import Attempt, DidNot, Happened, Unknown
from penstock.contracts.errors import Permanent, RefusedByService, Retryable
from penstock.contracts.ids import IdempotencyKey
from penstock.contracts.policy import FactType, Taint
from penstock.contracts.tool import Cost, EffectClass, IsolationTier, RetryAfter, RetryPlan
from penstock.nodes.secrets import SecretRef, SecretValues, resolve
from penstock.nodes.tools.adopt import adopt
from penstock.nodes.tools.arguments import CheckedArguments
from penstock.nodes.tools.hooks import Hook
from penstock.nodes.tools.messages import AdoptedResult
from penstock.nodes.tools.request import Calls, calls_of, with_calls
from penstock.nodes.tools.results import ResultCodec
from penstock.nodes.tools.supplies import Supplies
from penstock.nodes.tools.terms import Terms
from penstock.nodes.tools.tool import Tool, tool
from penstock.policies.facts import (
    Extractor,
    FactError,
    compute_facts,
    fact,
    minor_units,
    real_path,
    recipient_domains,
    url_host,
)

__all__ = [
    "AdoptedResult",
    "Attempt",
    "Calls",
    "CheckedArguments",
    "Cost",
    "DidNot",
    "EffectClass",
    "Extractor",
    "FactError",
    "FactType",
    "Happened",
    "Hook",
    "IdempotencyKey",
    "IsolationTier",
    "Permanent",
    "RefusedByService",
    "ResultCodec",
    "RetryAfter",
    "RetryPlan",
    "Retryable",
    "SecretRef",
    "SecretValues",
    "Supplies",
    "Taint",
    "Terms",
    "Tool",
    "Unknown",
    "adopt",
    "calls_of",
    "compute_facts",
    "fact",
    "minor_units",
    "real_path",
    "recipient_domains",
    "resolve",
    "tool",
    "url_host",
    "with_calls",
]
