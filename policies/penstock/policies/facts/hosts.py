"""The host of a URL and the domain of an address, as what they are resolved as."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import idna

from penstock.contracts.policy import FactType
from penstock.policies.facts.extractor import Extractor, FactError, Takes, text_of

SCHEMES = frozenset({"http", "https", "ws", "wss"})
"""Those whose URLs are all read alike."""

_UNSAFE = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\\]|\s")
_LAST_LABEL_IS_NUMBER = re.compile(r"(?:.*\.)?(?:\d+|0x[0-9a-f]*)")


@dataclass(frozen=True, slots=True)
class UrlHost(Extractor):
    """See `url_host`."""

    argument: str

    @property
    def kind(self) -> FactType:
        """The type of the fact."""
        return FactType.TEXT

    @property
    def description(self) -> str:
        """What it is computed from."""
        return f"host of the URL in {self.argument}"

    @property
    def takes(self) -> tuple[Takes, ...]:
        """The argument with the URL."""
        return (Takes(name=self.argument, types=frozenset({"string"})),)

    def read(self, taken: Mapping[str, object]) -> str:
        """Return the host."""
        where, url = f"`{self.argument}`", text_of(taken, self.argument)
        if _UNSAFE.search(url):
            raise FactError(f"{where} has white space, a control character or a backslash in it.")
        parts = _split(url, where)
        if parts.scheme not in SCHEMES:
            raise FactError(f"{where} is no URL that begins with {', '.join(sorted(SCHEMES))}.")
        if not parts.netloc or not parts.hostname:
            raise FactError(f"{where} is a URL without a host.")
        if "@" in parts.netloc:
            raise FactError(f"{where} is a URL with a user's name in it.")
        if parts.netloc.startswith("["):
            return _ipv6(parts.hostname, where)
        return host_name(parts.hostname, where)


def url_host(argument: str) -> UrlHost:
    """Return what computes the host of a URL: lower case, `xn--…` where it is not ASCII.

    Addresses are in their one canonical form. What programs read in different ways is refused: user
    names, backslashes, white space, hosts such as `2130706433` or `0x7f.1`.
    """
    return UrlHost(argument)


def host_name(host: str, where: str) -> str:
    """Return a host's name as it is looked up, or its address.

    Raises:
        FactError: It is none, or one that programs read in different ways.
    """
    try:
        # As browsers do (UTS 46), so that look-alikes show as what they are.
        name = idna.encode(host.removesuffix("."), uts46=True, std3_rules=True).decode()
    except (idna.IDNAError, UnicodeError, ValueError) as error:
        raise FactError(f"{where} has a host that is no name.") from error
    name = name.lower().removesuffix(".")
    if not name:
        raise FactError(f"{where} has an empty host.")
    if not _LAST_LABEL_IS_NUMBER.fullmatch(name):
        return name
    try:
        return str(ipaddress.IPv4Address(name))
    except ValueError as error:
        raise FactError(f"{where} has a number for a host that is no plain address.") from error


def _split(url: str, where: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise FactError(f"{where} is no URL.") from error
    return parts


def _ipv6(host: str, where: str) -> str:
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError as error:
        raise FactError(f"{where} has a host in brackets that is no address.") from error
    if address.scope_id is not None:
        raise FactError(f"{where} has an address with a zone.")
    return str(address.ipv4_mapped or address)
