"""Finding secrets and personal data in text.

Each kind has an expression, compiled once, and words without which it need not be looked for: as
one expression they would take several times as long. Where a kind has a checksum it is checked, so
that order numbers are not taken for cards. What looks like nothing known is not found: what must
never be shown, a tool's contract marks as sensitive.
"""

import re
from collections.abc import Callable, Mapping, Sequence

_NAMED = (
    r"passw(?:or)?d|passphrase|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key"
    r"|secret[_-]?key|authorization|credentials?"
)

_KINDS: Mapping[str, str] = {
    "private_key": r"-----BEGIN[A-Z ]{0,20}PRIVATE\ KEY(?:\ BLOCK)?-----"
    r"(?s:.*?)(?:-----END[A-Z ]{0,20}PRIVATE\ KEY(?:\ BLOCK)?-----|\Z)",
    "jwt": r"eyJ[\w-]{6,4000}\.[\w-]{6,}(?:(?:\.[\w-]*){0,2}\.[\w-]+)?",
    "key": r"""
        (?:sk|pk|rk)[-_](?=[\w-]{0,60}[0-9])[\w-]{18,}
        |gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}
        |xox[abeoprs]-[\w-]{10,}|xapp-[\w-]{10,}|hooks\.slack\.com/services/[\w/]+
        |(?:AKIA|ASIA|AGPA|AIDA|AROA)[A-Z0-9]{16}\b|AIza[\w-]{30,}|ya29\.[\w-]{20,}
        |npm_[A-Za-z0-9]{30,}|pypi-[\w-]{30,}|hf_[A-Za-z0-9]{20,}|SG\.[\w-]{16,}\.[\w-]{16,}
        |dop_v1_[a-f0-9]{40,}|shp(?:at|ca|pa|ss)_[a-fA-F0-9]{30,}|lsv2_\w{20,}
        |AGE-SECRET-KEY-1\w{30,}
    """,
    "url_password": r"(?<=://)[^\s/:@'\"]{0,100}:(?P<value>[^\s/@'\"]{1,200})(?=@)",
    "assigned": rf"""(?i:{_NAMED})(?:\\*["'])?\s{{0,4}}(?::|=|\s(?i:is)\s)\s{{0,4}}(?:\\*["'])?
        (?P<value>(?:(?i:bearer|basic)\s+)?[^\s"',;&{{}}\[\])\\]{{4,}})""",
    "bearer": r"(?i:bearer|basic)\s+(?P<value>[\w.~+/=-]{12,})",
    "email": r"(?<![\w.%+-])[\w.%+-]++@(?:[\w-]+\.)+[A-Za-z]{2,24}\b",
    "iban": r"[A-Z]{2}[0-9]{2}(?:\ ?[A-Z0-9]{2,4}){3,8}(?![A-Za-z0-9])",
    "card": r"[3-6][0-9]{3}(?:[\ -]?[0-9]){9,15}(?![\w-])",
    "ssn": r"(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}(?![\w-])",
    "phone": r"""(?:
        \+[1-9](?:[\ ().-]{0,2}[0-9]){7,14}
        |\(?[2-9][0-9]{2}\)?[\ .-][2-9][0-9]{2}[.-][0-9]{4}
        |0[1-9][0-9]{1,4}[\ /-][0-9]{3,4}[\ -]?[0-9]{3,8}
    )(?![\w-])""",
}

_NOT_AFTER: Mapping[str, str] = {
    "jwt": r"\w",
    "key": r"\w",
    "iban": r"[A-Za-z0-9]",
    "card": r"[\w.-]",
    "ssn": r"[\w-]",
    "phone": r"[\w.+-]",
}
"""After this it is a part of something else. Looked at last: before a match it would cost most."""

_EDGES = {kind: re.compile(rf"{part}\Z") for kind, part in _NOT_AFTER.items()}

_ESCAPED = re.compile(r"\\(?:[nrtbf]|x[0-9a-f]{2}|u[0-9a-f]{4})\Z")
"""What JSON and `repr` write for a line's end and its like: something else begins after it."""

_HINTS: Mapping[str, Sequence[str]] = {
    "private_key": ("private key",),
    "jwt": ("eyj",),
    "key": (
        *("sk-", "sk_", "pk-", "pk_", "rk-", "rk_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
        *("github_pat_", "glpat-", "xox", "xapp-", "hooks.slack", "akia", "asia", "agpa", "aida"),
        *("aroa", "aiza", "ya29", "npm_", "pypi-", "hf_", "sg.", "dop_v1", "shp", "lsv2_"),
        "age-secret",
    ),
    "url_password": ("://",),
    "assigned": (
        *("passw", "passphrase", "pwd", "secret", "token", "key", "authorization", "credential"),
    ),
    "bearer": ("bearer", "basic"),
    "email": ("@",),
}
"""Without one of these, in small letters, a text has nothing of the kind."""

_PATTERNS = {kind: re.compile(pattern, re.VERBOSE) for kind, pattern in _KINDS.items()}


def redact(text: str) -> str:
    """Return a text in which the kind of each secret, and of personal data, stands in its place."""
    small = text.lower()
    for kind, pattern in _PATTERNS.items():
        hints = _HINTS.get(kind)
        if hints is None or any(hint in small for hint in hints):
            text = _without(kind, pattern, text)
    return text


def _without(kind: str, pattern: re.Pattern[str], text: str) -> str:
    parts: list[str] = []
    kept, at = 0, 0
    while (found := pattern.search(text, at)) is not None:
        if not _is_one(kind, found):
            # What it is not as a whole may begin with another number, and be one from there on.
            at = found.start() + 1
            continue
        # The name of what is assigned stays.
        begins_at = found.start("value") if pattern.groups else found.start()
        parts += [text[kept:begins_at], f"[{kind}]"]
        kept = at = found.end()
    return text if not parts else "".join([*parts, text[kept:]])


def _is_one(kind: str, found: re.Match[str]) -> bool:
    check, edge = _CHECKS.get(kind), _EDGES.get(kind)
    if edge is not None:
        before = found.string[max(found.start() - 6, 0) : found.start()]
        if edge.search(before) and not _ESCAPED.search(before):
            return False
    return check is None or check(found[0])


def _luhn(text: str) -> bool:
    digits = [int(each) for each in text if each.isdigit()]
    doubled = [2 * each - 9 * (each > 4) for each in digits[-2::-2]]
    return sum(doubled + digits[-1::-2]) % 10 == 0


def _mod_97(text: str) -> bool:
    packed = text.replace(" ", "")
    if not 15 <= len(packed) <= 34:
        return False
    return int("".join(str(int(each, 36)) for each in packed[4:] + packed[:4])) % 97 == 1


_CHECKS: Mapping[str, Callable[[str], bool]] = {"card": _luhn, "iban": _mod_97}
