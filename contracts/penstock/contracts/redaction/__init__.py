"""Redaction: what is taken out of the ledger, of spans and of pages before anybody sees them.

`fields` hides what tool contracts mark as sensitive; `patterns` finds what looks like a secret or
like personal data. The secrets that a tool is given are known exactly, and are removed from what
comes back from it by `penstock.nodes.secrets`.
"""

from penstock.contracts.redaction.fields import HIDDEN, Masking, hide_fields, without_fields
from penstock.contracts.redaction.patterns import redact

__all__ = ["HIDDEN", "Masking", "hide_fields", "redact", "without_fields"]
