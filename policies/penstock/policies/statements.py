"""The policies in a file, each with its line: Cedar does not say where it found what."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice

from cedarpy import pst

from penstock.contracts.policy import PolicyFile, PolicySetName
from penstock.policies import cedar

DEPTH_LIMIT = 100
"""So deep may brackets stand in each other. Cedar's parser ends the process with some hundreds."""

LINK_LIMIT = 1000
"""So many `&&`, `||`, `if`, `.` and the like may one policy have; likewise, with some thousands."""

_PLACES_TRIED = 100
_TOKEN = re.compile(r'(?P<comment>//[^\n]*)|(?P<string>"(?:\\.|[^"\\])*")|(?P<end>;)', re.DOTALL)

# As Cedar tells them apart: brackets in texts and in comments are none.
_BUILT = re.compile(
    r"""//[^\n\r]*|"(?:\\.|[^"\\])*"|(?P<open>[(\[{])|(?P<close>[)\]}])
    |(?P<link>&&|\|\||[-+*.!<>=]|\b(?:if|in|has|like|is)\b)""",
    re.DOTALL | re.VERBOSE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One policy as it was written."""

    set: PolicySetName
    file: str
    """Within the policy's folder: `gates/payments.cedar`."""
    line: int
    """Its first line, counted from 1."""
    text: str
    """With its annotations, to its semicolon."""

    def line_of(self, *words: str) -> int:
        """Return the line of the first of these that is in it; else its own first line."""
        bare = _without_comments(self.text)
        for word in words:
            # A word within a longer one is another word.
            if found := re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", bare):
                return self.line + bare.count("\n", 0, found.start())
        return self.line


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong at one place of a policy."""

    file: str
    line: int
    text: str
    """What was found; what is wanted; what to do."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """One policy as Cedar reads it."""

    statement: Statement
    tree: pst.Template

    @property
    def id(self) -> str:
        """Its `@id`; empty where it has none."""
        return self.tree.annotations.get("id", "")

    def problem(self, text: str, *words: str) -> Problem:
        """Return what is wrong with it, where the first of these words stands."""
        where = self.statement
        return Problem(file=where.file, line=where.line_of(*words), text=text)


def split(file: PolicyFile) -> Iterator[Statement]:
    """Return the policies of a file as they were written."""
    begin = 0
    for found in _TOKEN.finditer(file.text):
        if found.lastgroup == "end":
            yield from _statement(file, begin, found.end())
            begin = found.end()
    yield from _statement(file, begin, len(file.text))


def parse(statement: Statement) -> Parsed | Problem:
    """Read one policy, or say what is wrong with it."""
    if is_too_deep(statement.text):
        text = (
            f"It is too deep: brackets stand in each other more than {DEPTH_LIMIT} times, or it has"
            f" more than {LINK_LIMIT:,} operators. Wanted is less. Make several policies of it."
        )
        return Problem(file=statement.file, line=statement.line, text=text)
    try:
        tree = cedar.parse(statement.text)
    except ValueError as error:
        said = str(error).partition("\n")[0]
        line = statement.line + statement.text.count("\n", 0, _begin_of_error(statement.text, said))
        text = f"It is no policy: {said}. Wanted is Cedar, each policy with its `;`. Correct it."
        return Problem(file=statement.file, line=line, text=text)
    if tree.templates:
        text = (
            "It is a template (`?principal` or `?resource`), and nothing fills it in. Wanted is a"
            " policy. Name who and what it is about."
        )
        return Problem(file=statement.file, line=statement.line, text=text)
    policies = list(tree.static_policies.values())
    if len(policies) != 1:
        text = f"There are {len(policies)} policies where one was wanted. Correct the `;`s."
        return Problem(file=statement.file, line=statement.line, text=text)
    return Parsed(statement=statement, tree=policies[0])


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return who might be meant by a word that is not known, as the end of a message."""
    names = sorted(set(known))
    if close := get_close_matches(word, names, n=1, cutoff=0.6):
        return f"Did you mean `{close[0]}`?"
    return f"Known are {', '.join(f'`{name}`' for name in names)}." if names else "None is known."


def is_too_deep(text: str) -> bool:
    """Tell whether a policy is nested so deep that Cedar's parser might not live through it."""
    depth = links = 0
    for found in _BUILT.finditer(text):
        match found.lastgroup:
            case "open":
                depth += 1
            case "close":
                depth = max(depth - 1, 0)
            case "link":
                links += 1
            case _:
                continue
        if depth > DEPTH_LIMIT or links > LINK_LIMIT:
            return True
    return False


def _begin_of_error(text: str, said: str) -> int:
    """Return where the text begins that Cedar did not expect.

    What is cut off before it lacks an end; what is cut off after it has the same error already.
    """
    token = re.search(r"unexpected token `(.+)`", said)
    word = token or re.search(r"(@\w+)", said)
    if word is None:
        return 0
    # Each place is read anew: of a long text not all of them can be.
    for found in islice(re.finditer(re.escape(word.group(1)), text), _PLACES_TRIED):
        try:
            cedar.parse(text[: found.end()])
        except ValueError as error:
            if str(error).partition("\n")[0] == said:
                return found.start()
    return text.rfind(word.group(1)) if token is None else 0


def _statement(file: PolicyFile, begin: int, end: int) -> Iterator[Statement]:
    text = file.text[begin:end]
    blank = re.match(r"(?:\s|//[^\n]*(?:\n|$))*", text)
    begin += blank.end() if blank else 0
    if text := file.text[begin:end].rstrip():
        yield Statement(
            set=file.set,
            file=f"{file.set}/{file.name}",
            line=file.text.count("\n", 0, begin) + 1,
            text=text,
        )


def _without_comments(text: str) -> str:
    return _TOKEN.sub(lambda found: "" if found.lastgroup == "comment" else found.group(), text)
