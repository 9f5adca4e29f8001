"""Links in messages: signed pointers to a gate, and nothing more.

Whoever follows one is led to the page of its gate, where they have to be logged in, and where they
may do what they might have done without it. A link decides nothing, logs nobody in, and shows
nothing by itself: there is no function here that could.

It leads there once. The first person who follows it, logged in, has used it up; the same person
may come back by it (a page is loaded again), and anybody else is sent to the list of open gates.
A mail server that opens every link it sees is not logged in and uses nothing up.
"""

import hashlib
import secrets
from datetime import UTC, datetime

from itsdangerous import BadData, URLSafeSerializer
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError
from sqlalchemy import Connection

from penstock.checkpoints.gates import notices
from penstock.contracts.errors import InvalidLink
from penstock.contracts.ids import GateId

SECRET_LENGTH = 32
"""A secret to sign with has at least so many characters."""
PARAMETER = "link"
"""The parameter of the page's URL that holds a token."""

_SALT = "penstock.gate-link.v1"
_TOKEN_LIMIT = 2000


class _Pointer(BaseModel):
    """What is signed."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    gate: str
    group: str
    """For whom it was sent. It gives them no right, and takes none from others."""
    nonce: str
    until: int
    """Seconds since the epoch."""


class GateLinks:
    """Signs links to the gates of one page, and reads those that come back."""

    def __init__(self, secret: SecretStr, *, ui_url: str) -> None:
        """Sign with `secret`, for the page at `ui_url`.

        Raises:
            ValueError: the secret is too short to be one.
        """
        key = secret.get_secret_value()
        if len(key) < SECRET_LENGTH:
            msg = (
                f"a secret of {len(key)} characters cannot sign links; make one of at least"
                f" {SECRET_LENGTH}, as `openssl rand -hex 32` does"
            )
            raise ValueError(msg)
        self._page = ui_url.rstrip("/")
        self._serializer = URLSafeSerializer(
            key,
            salt=_SALT,
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )

    def sign(self, gate_id: GateId, *, group: str, until: datetime) -> str:
        """Return the URL of a new link to a gate, good until then; two are never the same."""
        pointer = _Pointer(
            gate=gate_id,
            group=group,
            nonce=secrets.token_urlsafe(16),
            until=int(until.timestamp()),
        )
        token = self._serializer.dumps(pointer.model_dump())
        return f"{self._page}/?{PARAMETER}={token}"

    def follow(self, connection: Connection, token: str, *, person: str) -> GateId:
        """Return the gate that a link leads to, for a person who is logged in.

        The link is used up in the transaction of `connection`. Whether the person may vote at the
        gate is not asked here: that is asked of every vote.

        Raises:
            InvalidLink: it was not signed here, is damaged or too old, or somebody else has used
                it.
            UnknownGate: its gate is not in this store.
        """
        pointer = self._read(token)
        gate_id = GateId(pointer.gate)
        until = datetime.fromtimestamp(pointer.until, UTC)
        notices.use_link(connection, pointer.nonce, gate_id=gate_id, until=until, person=person)
        return gate_id

    def _read(self, token: str) -> _Pointer:
        try:
            if len(token) > _TOKEN_LIMIT or not token.isascii():
                raise BadData("no token")
            return _Pointer.model_validate(self._serializer.loads(token))
        except (BadData, ValidationError):
            # What is wrong with it exactly is of use only to whoever forges one.
            raise InvalidLink(
                "this is no link that was signed here; find the gate in the list of open ones"
            ) from None
