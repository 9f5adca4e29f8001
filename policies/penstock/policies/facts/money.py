"""Amounts of money as whole numbers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from penstock.contracts.policy import FactType, Spend
from penstock.policies.facts.extractor import Extractor, FactError, Takes, text_of

USUAL_PLACES = 2

PLACES: Mapping[str, int] = {
    **dict.fromkeys(
        (
            *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW"),
            *("PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"),
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
"""The currencies of ISO 4217 (list one) whose minor unit is not a hundredth."""

WITHOUT = frozenset(
    {"XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XDR", "XPD", "XPT", "XSU", "XTS", "XUA", "XXX"}
)
"""The codes of ISO 4217 that have no minor unit."""

_GREATEST = 2**63 - 1
_LONGEST = 25
"""Digits; what has more is no amount, and would take long to find out."""
_CODE = re.compile(r"[A-Z]{3}")
_NUMBER = re.compile(r"-?\d{1,25}(?:\.\d{1,25})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class MinorUnits(Extractor):
    """See `minor_units`."""

    argument: str
    currency: str | None
    currency_argument: str | None
    is_minor: bool = False

    @property
    def kind(self) -> FactType:
        """The type of the fact."""
        return FactType.WHOLE

    @property
    def description(self) -> str:
        """What it is computed from."""
        return f"minor units of {self.currency or self.currency_argument} in {self.argument}"

    @property
    def takes(self) -> tuple[Takes, ...]:
        """The argument with the amount, and that with the currency."""
        amount = Takes(name=self.argument, types=frozenset({"integer", "number", "string"}))
        if self.currency_argument is None:
            return (amount,)
        return (amount, Takes(name=self.currency_argument, types=frozenset({"string"})))

    def read(self, taken: Mapping[str, object]) -> int:
        """Return the amount."""
        where, code = f"`{self.argument}`", self._code(taken)
        places = 0 if self.is_minor and _places(code) is not None else _places(code)
        if places is None:
            raise FactError(f"`{self.currency_argument}` is no currency with minor units.")
        amount = _number(taken[self.argument], where)
        # No rounding: what is not a whole number of minor units is nobody's price.
        numerator, denominator = amount.as_integer_ratio()
        units, rest = divmod(numerator * 10**places, denominator)
        if rest:
            raise FactError(f"{where} is finer than the minor unit of `{code}`.")
        if abs(units) > _GREATEST:
            raise FactError(f"{where} is beyond 64 bits in minor units.")
        return units

    def spend(self, arguments: Mapping[str, object]) -> Spend | None:
        """Return what a call spends; None where it spends nothing, or that cannot be told."""
        try:
            units = self.compute(arguments)
        except FactError:
            # A call without its facts is denied.
            return None
        if not isinstance(units, int) or units <= 0:
            return None
        return Spend(minor=units, currency=self._code(arguments))

    def _code(self, arguments: Mapping[str, object]) -> str:
        if self.currency is not None:
            return self.currency
        return text_of(arguments, self.currency_argument or "")


def minor_units(
    argument: str,
    *,
    currency: str | None = None,
    currency_argument: str | None = None,
    is_minor: bool = False,
) -> MinorUnits:
    """Return what computes an amount in minor units, such as cents, by ISO 4217.

    An amount is a number, or a text such as `12.50`. One finer than a minor unit is refused, never
    rounded. What the calls of a tenant come to is added up day by day: the fact `spent_today`.

    Args:
        argument: The amount's.
        currency: The code of the currency: `EUR`.
        currency_argument: Or the argument in which the code is.
        is_minor: Whether the amount is in minor units already.

    Raises:
        ValueError: Neither or both are given, or the code is none with minor units.
    """
    if (currency is None) == (currency_argument is None):
        raise ValueError("Wanted is a `currency` or a `currency_argument`, and not both.")
    if currency is not None and _places(currency) is None:
        raise ValueError(f"`{currency}` is no currency with minor units; wanted is one like `EUR`.")
    return MinorUnits(argument, currency, currency_argument, is_minor)


def spell(spend: Spend) -> str:
    """Return an amount as people write it: `489.00 EUR`."""
    places = _places(spend.currency)
    if places is None:
        return f"{spend.minor:,} minor units of {spend.currency}"
    return f"{Decimal(spend.minor).scaleb(-places):,.{places}f} {spend.currency}"


def _places(code: str) -> int | None:
    if not _CODE.fullmatch(code) or code in WITHOUT:
        return None
    return PLACES.get(code, USUAL_PLACES)


def _number(value: object, where: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise FactError(f"{where} is no amount.")
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise FactError(f"{where} is no amount like `12.50`.")
    # A float is what it was written as: 0.1 is a tenth, though its bits are not.
    amount = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not amount.is_finite():
        raise FactError(f"{where} is no amount.")
    if amount and abs(amount.adjusted()) > _LONGEST:
        raise FactError(f"{where} is beyond 64 bits in minor units.")
    return amount
