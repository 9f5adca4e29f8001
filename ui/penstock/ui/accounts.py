"""Who may log in to the control room by a password: a TOML file with Argon2 hashes.

    [accounts]
    ada = "$argon2id$v=19$…"

The file is read at every use, so whoever is taken out of it is logged out with their next click.
"""

import hashlib
import os
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from pydantic_core import to_json

from penstock.contracts.errors import InvalidAccounts

PASSWORD_LENGTH = 12
"""The least number of characters of a password."""

_HASHER = PasswordHasher()
_NOBODY = _HASHER.hash("nobody has this password")
"""The hash to check where there is no account, so that the check takes as long as with one."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\s\x00-\x1f]+$")]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    accounts: Mapping[Name, str] = {}


class Accounts:
    """The accounts in a file."""

    def __init__(self, path: Path) -> None:
        """Use a file, which need not exist before the first account does."""
        self._path = path

    def admits(self, name: str, password: str) -> bool:
        """Tell whether this is the password of an account. It takes a while, whatever the answer.

        Raises:
            InvalidAccounts: the file cannot be used.
        """
        known = self._read().get(name)
        try:
            return _HASHER.verify(known or _NOBODY, password) and known is not None
        except (VerificationError, InvalidHashError):
            return False

    def mark(self, name: str) -> str | None:
        """Return a mark that changes with the password of an account; None where there is none.

        Raises:
            InvalidAccounts: the file cannot be used.
        """
        known = self._read().get(name)
        return None if known is None else hashlib.sha256(known.encode()).hexdigest()[:16]

    def put(self, name: str, password: str) -> bool:
        """Set the password of an account; tell whether the account is new.

        Raises:
            InvalidAccounts: the file, the name or the password cannot be used.
        """
        if len(password) < PASSWORD_LENGTH:
            raise InvalidAccounts(
                f"the password of `{name}` was not set: it has {len(password)} characters; wanted"
                f" are {PASSWORD_LENGTH} or more"
            )
        known: Mapping[str, str] = self._read() if self._path.exists() else {}
        self._write({**known, name: _HASHER.hash(password)})
        return name not in known

    def remove(self, name: str) -> bool:
        """Remove an account; tell whether it existed.

        Raises:
            InvalidAccounts: the file cannot be used.
        """
        known = self._read()
        if name in known:
            self._write({other: hashed for other, hashed in known.items() if other != name})
        return name in known

    def _read(self) -> Mapping[str, str]:
        try:
            with self._path.open("rb") as file:
                return _File.model_validate(tomllib.load(file)).accounts
        except OSError as error:
            raise InvalidAccounts(
                f"the accounts in `{self._path}` cannot be read ({error.strerror}); make one with"
                " `penstock account NAME`"
            ) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as error:
            raise InvalidAccounts(
                f"`{self._path}` is no file of accounts; wanted is TOML, a table `[accounts]` with"
                " a hash for each name, as `penstock account NAME` writes it"
            ) from error

    def _write(self, accounts: Mapping[str, str]) -> None:
        """Replace the file by a new one, readable by its owner alone."""
        try:
            _File.model_validate({"accounts": accounts})
            lines = [f"{_quoted(name)} = {_quoted(accounts[name])}" for name in sorted(accounts)]
            folder = self._path.absolute().parent
            with tempfile.NamedTemporaryFile("w", dir=folder, delete=False) as new:
                new.write("\n".join(["[accounts]", *lines, ""]))
                new.flush()
                os.fsync(new.fileno())
            Path(new.name).replace(self._path)
        except ValidationError as error:
            raise InvalidAccounts(
                "an account was not made: a name has no spaces and at most 200 characters"
            ) from error
        except OSError as error:
            raise InvalidAccounts(
                f"the accounts in `{self._path}` cannot be written ({error.strerror})"
            ) from error


def _quoted(text: str) -> str:
    """Return a text as a basic string of TOML, which is one of JSON."""
    return to_json(text).decode()
