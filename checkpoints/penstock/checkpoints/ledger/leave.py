"""Leaving tool calls behind whose run was cancelled: nobody will come to repeat them."""

import json
from datetime import datetime

from sqlalchemy import Connection, select

from penstock.checkpoints.ledger.rows import effect_of
from penstock.checkpoints.ledger.settle import put_in_doubt
from penstock.checkpoints.schema import effects
from penstock.contracts.effect import DoubtAnswer, EffectStatus
from penstock.contracts.ids import RunId
from penstock.contracts.tool import EffectClass

_WHY = ("cut_off", "its run was cancelled before it was known what came of it")

_ANSWER_SCHEMA = json.dumps(
    {
        "type": "object",
        "oneOf": [
            {"properties": {"answer": {"const": DoubtAnswer.DID_NOT}}, "required": ["answer"]},
            {
                "properties": {"answer": {"const": DoubtAnswer.HAPPENED}, "result": {}},
                "required": ["answer", "result"],
            },
        ],
    }
)
"""The tool is not at hand where a run is cancelled, and nobody will go on with its result."""


def leave(connection: Connection, run_id: RunId, *, at: datetime, actor: str) -> None:
    """Put in doubt what a run that was cancelled has begun and not settled, and ask people.

    Also what may be repeated: it may have happened, and nobody repeats it any more. What comes to
    an end after all settles itself.
    """
    begun = select(effects).where(
        effects.c.run_id == run_id,
        effects.c.status == EffectStatus.STARTED,
        effects.c.effect != EffectClass.READ,
    )
    for row in connection.execute(begun).mappings().all():
        put_in_doubt(
            connection,
            effect_of(dict(row)),
            answer_schema=_ANSWER_SCHEMA,
            can_be_looked_up=False,
            why=_WHY,
            at=at,
            actor=actor,
        )
