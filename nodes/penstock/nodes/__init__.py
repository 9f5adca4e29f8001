"""Tools: declaring them with their contracts, and adopting those of LangChain.

Importing this does not import LangGraph. `penstock.nodes.pipeline` carries out the calls.
"""

from penstock.contracts.call import Attempt, DidNot, Happened, Unknown
from penstock.contracts.errors import Permanent, RefusedByService, Retryable
from penstock.contracts.ids import IdempotencyKey
from penstock.contracts.policy import FactType, Taint
from penstock.contracts.tool import Cost, EffectClass, IsolationTier, RetryAfter, RetryPlan
from penstock.nodes.secrets import SecretRef
from penstock.nodes.tools.adopt import adopt
from penstock.nodes.tools.terms import Terms
from penstock.nodes.tools.tool import Tool, tool
from penstock.policies.facts import (
    Extractor,
    fact,
    minor_units,
    real_path,
    recipient_domains,
    url_host,
)

__all__ = [
    "Attempt",
    "Cost",
    "DidNot",
    "EffectClass",
    "Extractor",
    "FactType",
    "Happened",
    "IdempotencyKey",
    "IsolationTier",
    "Permanent",
    "RefusedByService",
    "RetryAfter",
    "RetryPlan",
    "Retryable",
    "SecretRef",
    "Taint",
    "Terms",
    "Tool",
    "Unknown",
    "adopt",
    "fact",
    "minor_units",
    "real_path",
    "recipient_domains",
    "tool",
    "url_host",
]
