"""A call whose arguments a person has edited, made into the call that they approved."""

import json
from collections.abc import Sequence
from dataclasses import replace

from penstock.contracts.call import Refused
from penstock.contracts.gate import Gate
from penstock.nodes.calls.acting import Acting
from penstock.nodes.calls.admit import admit
from penstock.nodes.calls.call import ToolCall


def amended(acting: Acting, call: ToolCall, asked: Sequence[Gate]) -> ToolCall | Refused:
    """Return the call with the arguments that a person put in place of these last, if one has."""
    edit = next(
        (
            gate.edit
            for gate in reversed(asked)
            if gate.edit is not None and gate.edit.of_digest == call.effect.digest
        ),
        None,
    )
    if edit is None:
        return call
    made = admit(
        acting,
        call.tool,
        json.loads(edit.arguments),
        key=call.effect.key,
        lineage=call.effect.lineage,
        injected=call.injected,
    )
    if isinstance(made, Refused):
        return made
    return replace(call, checked=made.checked, effect=made.effect, edit=edit)
