"""Sessions of people who are logged in: a signed word in a cookie, and nothing in the store."""

import hashlib
import secrets

from itsdangerous import BadData, URLSafeSerializer
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from penstock.contracts.clock import Clock, SystemClock
from penstock.ui.accounts import Accounts

COOKIE = "penstock_session"

_SALT = "penstock.session.v1"
_TOKEN_LIMIT = 1000


class _Session(BaseModel):
    """What is signed."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    name: str
    mark: str
    """Of the account as it was: another password ends the session."""
    until: int
    """Seconds since the epoch."""


class Sessions:
    """Begins sessions, and says whose one is."""

    def __init__(
        self,
        accounts: Accounts,
        *,
        secret: SecretStr | None,
        lasts_s: float,
        clock: Clock | None = None,
    ) -> None:
        """Sign with `secret`; without one with a secret of this process, which ends with it."""
        key = secrets.token_hex(32) if secret is None else secret.get_secret_value()
        self.accounts = accounts
        self.lasts_s = lasts_s
        self._clock = clock or SystemClock()
        self._serializer = URLSafeSerializer(
            key,
            salt=_SALT,
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )

    def begin(self, name: str, password: str) -> str | None:
        """Return the word of a new session; None where this is not somebody's password.

        Raises:
            InvalidAccounts: the file of accounts cannot be used.
        """
        mark = self.accounts.mark(name)
        if not self.accounts.admits(name, password) or mark is None:
            return None
        until = int(self._clock.now().timestamp() + self.lasts_s)
        told = _Session(name=name, mark=mark, until=until)
        return str(self._serializer.dumps(told.model_dump()))

    def whose(self, token: str | None) -> str | None:
        """Return who is logged in by a word; None where nobody is, or not any more.

        Raises:
            InvalidAccounts: the file of accounts cannot be used.
        """
        if token is None or len(token) > _TOKEN_LIMIT or not token.isascii():
            return None
        try:
            session = _Session.model_validate(self._serializer.loads(token))
        except (BadData, ValidationError):
            return None
        is_over = self._clock.now().timestamp() >= session.until
        return None if is_over or self.accounts.mark(session.name) != session.mark else session.name
