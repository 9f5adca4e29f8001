"""Secrets of tools: named in a declaration, resolved at a call, removed from its output."""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from pydantic import JsonValue

from penstock.contracts.call import Refused, Stage

Source = Callable[[str], str | None]
"""Returns the secret of a name, or None if there is none."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

PLACEHOLDER = "‹secret›"  # noqa: RUF001  (so that it is nobody's own text)
"""Stands where a secret was."""


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Marks a parameter that is given a secret: `token: Annotated[str, SecretRef("MAIL_TOKEN")]`.

    Only the name is ever stored.
    """

    name: str

    @property
    def is_valid(self) -> bool:
        """Whether it could be the name of an environment variable."""
        return _NAME.fullmatch(self.name) is not None


class SecretValues(Mapping[str, str]):
    """The secrets of one attempt by their names. Neither `repr` nor an error shows a value."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}=…" for name in sorted(self._values))
        return f"SecretValues({shown})"


class SecretRedactor:
    """Replaces the exact values of some secrets, also where they were quoted or escaped."""

    def __init__(self, values: Iterable[str]) -> None:
        forms = {form for value in values if value for form in _forms(value)}
        # The longest first: one secret may begin with another.
        ordered = sorted(forms, key=len, reverse=True)
        raw = [form.encode(errors="surrogatepass") for form in ordered]
        self.longest = max(map(len, raw), default=0)
        """Bytes in the longest form of a secret; 0 where there are none."""
        self.pattern = re.compile(b"|".join(map(re.escape, raw))) if raw else None
        """Finds any form in bytes; None where there are no secrets."""
        self._text = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def text(self, text: str) -> str:
        """Return a text without secrets."""
        return text if self._text is None else self._text.sub(PLACEHOLDER, text)

    def json(self, text: str) -> str:
        """Return JSON without secrets in its texts; it stays JSON."""
        if self._text is None or self._text.search(text) is None:
            return text
        return json.dumps(self._value(json.loads(text)), ensure_ascii=False, separators=(",", ":"))

    def _value(self, value: JsonValue) -> JsonValue:
        match value:
            case str():
                return self.text(value)
            case list():
                return [self._value(part) for part in value]
            case dict():
                return {self.text(name): self._value(part) for name, part in value.items()}
            case _:
                return value


class RedactedTail:
    """Keeps the end of a stream of bytes, without secrets.

    They are taken out before the beginning is cut off, so that no half of one stays.
    """

    def __init__(self, redaction: SecretRedactor, *, size_bytes: int) -> None:
        self._redaction = redaction
        self._size = size_bytes
        self._kept = bytearray()
        self._open = b""

    def feed(self, data: bytes) -> None:
        """Take in what was read next."""
        self._take(data, ahead=max(self._redaction.longest - 1, 0))

    def text(self) -> str:
        """Return what was kept; nothing is fed after that."""
        self._take(b"", ahead=0)
        return self._kept.decode(errors="replace").strip()

    def _take(self, data: bytes, *, ahead: int) -> None:
        """Settle all but the last bytes, in which a secret may have begun."""
        open_ = self._open + data
        settled, limit = 0, max(len(open_) - ahead, 0)
        pattern = self._redaction.pattern
        for found in pattern.finditer(open_) if pattern is not None else ():
            if found.start() >= limit:
                break
            self._kept += open_[settled : found.start()] + PLACEHOLDER.encode()
            settled = found.end()
        until = max(settled, limit)
        self._kept += open_[settled:until]
        self._open = open_[until:]
        del self._kept[: -self._size]


def no_secrets() -> SecretValues:
    """Return none at all."""
    return SecretValues({})


def environment(name: str) -> str | None:
    """Return a secret from this process's environment; an empty variable is none."""
    return os.environ.get(name) or None


def resolve(names: Iterable[str], source: Source = environment) -> SecretValues | Refused:
    """Return the secrets of these names, or the refusal that names those that are missing."""
    wanted = sorted(names)
    found = {name: value for name in wanted if (value := source(name)) is not None}
    missing = [name for name in wanted if name not in found]
    if not missing:
        return SecretValues(found)
    listed = ", ".join(f"`{name}`" for name in missing)
    return Refused(
        stage=Stage.CONTRACT,
        code="secret_missing",
        message=f"The worker has no secret {listed}. Set it in the environment of the worker.",
    )


def _forms(value: str) -> Iterable[str]:
    """Yield a value as it is, and as it looks in a `repr`, in JSON and in a URL."""
    yield value
    yield repr(value)[1:-1]
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield quote(value, safe="", errors="replace")
