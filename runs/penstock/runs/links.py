"""Links in messages: signed pointers to a gate, and nothing more.

A link leads to the page of its gate. There a person has to be logged in, and may do what they may
do without the link: it decides nothing, logs nobody in, and shows nothing by itself.

A link works for one person: the first one who follows it while logged in. They may follow it again
(a page is loaded again); everybody else is sent to the list of open gates. A mail server that opens
every link is not logged in, and does not use it.
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
"""The shortest secret, in characters."""

PARAMETER = "link"
"""The parameter of the page's URL that has the token."""

_SALT = "penstock.gate-link.v1"
_TOKEN_LIMIT = 2000


class _Pointer(BaseModel):
    """The signed content of a link."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    gate: str
    group: str
    """The group that it was sent to. It gives them no right, and takes none from others."""
    nonce: str
    until: int
    """Seconds since the epoch."""


class GateLinks:
    """Signs links to the gates of one page, and follows them."""

    def __init__(self, secret: SecretStr, *, ui_url: str) -> None:
        """Sign with `secret`, for the page at `ui_url`.

        Raises:
            ValueError: the secret is too short.
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
        """Return the URL of a new link to a gate, valid `until` then; two are never the same."""
        pointer = _Pointer(
            gate=gate_id,
            group=group,
            nonce=secrets.token_urlsafe(16),
            until=int(until.timestamp()),
        )
        token = self._serializer.dumps(pointer.model_dump())
        return f"{self._page}/?{PARAMETER}={token}"

    def follow(self, connection: Connection, token: str, *, person: str) -> GateId:
        """Return the gate of a link, for a person who is logged in.

        The use of the link is recorded in the transaction of `connection`. Whether the person may
        vote at the gate is not checked here: that is checked at every vote.

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
            # The exact problem would help only somebody who forges links.
            raise InvalidLink(
                "this is no link that was signed here; find the gate in the list of open ones"
            ) from None
