"""Reading a ticket by rules, without a model.

The rules find order numbers as people write them, the amounts and products that people name, and
whether they want money at all. They read only what the customer wrote: not what is quoted, and no
paragraph that gives orders to a machine.
"""

import re
from collections.abc import Iterator

from desk.state import Language, Plan, Wish
from desk.ticket import Ticket

ORDER = re.compile(
    r"""(?:
        \bR\s?[-\u2013]?\s?                                    # R-10231, R 10231, R10231
        | \#\s?R?-?                                       # #10231
        | \b(?:order|bestell\w*)\s*(?:number|nummer|no|nr)?\s*[:\#]?\s*(?:R\s?[-\u2013]?\s?)?
    )
    (?=[\dOIl]*\d)([\dOIl]{4,6})\b                        # the letters that look like digits
    """,
    re.VERBOSE | re.IGNORECASE,
)
AMOUNT = re.compile(
    r"(?:€|EUR)\s?(\d+(?:[.,]\d\d)?)\b|\b(\d+(?:[.,]\d\d)?)\s?(?:€|EUR|euros?\b)", re.IGNORECASE
)
PRICE = re.compile(
    r"\b(?:paid|costs?|worth|bezahlt|kostet\w*|gekostet)\W+(?:\w+\W+){0,2}$", re.IGNORECASE
)
ITEM = re.compile(
    r"\b(?:only|just|nur)\s+(?:for\s+|für\s+)?(?:the|my|a|die|den|das|der)\s+([\w -]+?)"
    r"(?=\s+(?:in|from|of|was|is|are|were|that|which|came|arrived|aus|war|ist|kam)\b|[^\w -]|$)",
    re.IGNORECASE,
)
REFUND = re.compile(
    r"refund|reimburse|money\s+back|(?:give|send|pay|get|want|have)\b(?:[^.!?]|\.\d)*\bback\b"
    r"|return\s+(?:my|the)\s+(?:money|payment)|erstatt|geld\s+zurück|zurück(?:zahl|überweis)",
    re.IGNORECASE,
)
NO_REFUND = re.compile(
    r"\b(?:not?|don't|without|instead\s+of|rather\s+than|keine?n?|nicht)\b\W+(?:[\w']+\W+){0,4}?"
    r"(?:refund|money\s+back|(?:rück)?erstattung|geld\s+zurück)",
    re.IGNORECASE,
)
SAME = re.compile(r"\b(?:same|likewise|also|too|ebenso|ebenfalls|auch)\b", re.IGNORECASE)
QUESTION = re.compile(r"\b(?:where|when|how|wo|wann)\b[^.!]*\?", re.IGNORECASE)

TO_A_MACHINE = re.compile(
    r"\b(?:ignore|disregard|forget)\b[^.]*\b(?:instructions?|rules?|polic\w+|above|prompt)\b"
    r"|\b(?:system|assistant|developer)\b\s*(?:prompt|note|message|override)?\s*[:\]>]"
    r"|\byou\s+are\s+(?:now\s+)?(?:an?|the|in)\s+(?:\w+\s+)?(?:ai|assistant|agent|bot|mode)\b"
    r"|\b(?:ai|automated)\s+(?:agent|assistant|system)s?\b",
    re.IGNORECASE,
)
QUOTED = re.compile(r"^(?:>.*|On .* wrote:|Am .* schrieb.*:)$", re.MULTILINE)
SIGNATURE = re.compile(r"^-- ?$", re.MULTILINE)
SENTENCE = re.compile(r"(?<=[.!?])\s+|\n\s*(?=[-*•]\s)|\n\s*\n")
ABBREVIATION = re.compile(r"\b(no|nr|approx|ca)\.(?=\s?[R#\d])", re.IGNORECASE)

GERMAN = re.compile(
    r"\b(?:ich|und|nicht|bitte|der|die|das|ist|mein|meine|für|mit)\b", re.IGNORECASE
)
ENGLISH = re.compile(r"\b(?:i|and|not|please|the|is|my|for|with|you|it)\b", re.IGNORECASE)
UPSET = re.compile(
    r"!!|\b(?:unacceptable|ridiculous|furious|disgrace\w*|lawyer|scam|worst|outrage\w*"
    r"|frechheit|unverschämt\w*|anwalt)\b",
    re.IGNORECASE,
)


def read(ticket: Ticket) -> Plan:
    """Find out what a ticket asks for."""
    text = _own_words(ticket["text"])
    return Plan(
        wishes=list(_wishes(f"{ticket['subject']}.\n\n{text}")),
        language=_language(text),
        upset=bool(UPSET.search(text)) or _shouts(text),
    )


def order_number(written: str) -> str:
    """Bring an order number into the shop's form: `r 1O231` is `R-10231`."""
    digits = written.upper().translate(str.maketrans("OIL", "011"))
    return "R-" + "".join(filter(str.isdigit, digits))


def _own_words(text: str) -> str:
    """Leave out quotations, the signature and paragraphs that speak to a machine."""
    text = QUOTED.sub("", SIGNATURE.split(text)[0])
    paragraphs = re.split(r"\n\s*\n", text)
    return "\n\n".join(part for part in paragraphs if not TO_A_MACHINE.search(part))


def _wishes(text: str) -> Iterator[Wish]:
    """Give each sentence to the orders it names, or else to those named last."""
    text = ABBREVIATION.sub(r"\1", text)
    about: dict[str, list[str]] = {}
    before: list[str] = []
    current: list[str] = []
    for sentence in SENTENCE.split(text):
        named = [order_number(found) for found in ORDER.findall(sentence)]
        current = named or current
        for order in current:
            about.setdefault(order, []).append(sentence)
        if not current:
            before.append(sentence)

    general = any(_wants_refund(sentence) for sentence in before)
    wanted = general or any(map(_wants_refund, SENTENCE.split(text)))
    for order, sentences in about.items():
        said = [*before, *sentences] if len(about) == 1 else sentences
        if _is_wish(said, general=general, wanted=wanted):
            yield Wish(order=order, cents=_amount(said), item=_item(said))
    if wanted and not about:
        yield Wish(order=None, cents=_amount(before), item=None)


def _is_wish(said: list[str], *, general: bool, wanted: bool) -> bool:
    """Tell whether money is wanted for an order, by what was said of it and of the others."""
    if any(map(_wants_refund, said)):
        return True
    if any(NO_REFUND.search(sentence) or QUESTION.search(sentence) for sentence in said):
        return False
    return general or (wanted and any(map(SAME.search, said)))


def _wants_refund(sentence: str) -> bool:
    return bool(REFUND.search(NO_REFUND.sub("", sentence)))


def _amount(said: list[str]) -> int | None:
    """Find the amount that is asked for; what something cost is not asked for."""
    for sentence in filter(_wants_refund, said):
        for found in AMOUNT.finditer(sentence):
            if not PRICE.search(sentence[: found.start()]):
                whole, _, cents = (found[1] or found[2]).replace(",", ".").partition(".")
                return int(whole) * 100 + int(cents or 0)
    return None


def _item(said: list[str]) -> str | None:
    found = filter(None, map(ITEM.search, said))
    return next((match[1].strip() for match in found), None)


def _language(text: str) -> Language:
    return "de" if len(GERMAN.findall(text)) > len(ENGLISH.findall(text)) else "en"


def _shouts(text: str) -> bool:
    words = re.findall(r"[A-ZÄÖÜa-zäöüß]{4,}", text)
    return sum(map(str.isupper, words)) > len(words) / 3
