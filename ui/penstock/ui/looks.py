"""The looks that every page begins with: what the theme cannot say, in its colours."""

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

COLOURS = ("red", "orange", "yellow", "green", "blue", "violet", "gray")
SOFT = {"light": "#52606d", "dark": "#a9b6c0"}
"""What is said beside."""

# Streamlit writes in white on the colour that buttons have, whatever the colour.
_DARK = """
[data-testid^="stBaseButton-primary"], [data-testid^="stBaseButton-primary"] * { color: #06252a; }
"""


def theme() -> Mapping[str, Any]:
    """Return the theme as the package brings it."""
    told = files("penstock.ui").joinpath("theme.toml").read_text("utf-8")
    return tomllib.loads(told)["theme"]


@cache
def style(*, is_dark: bool) -> str:
    """Return the style of all pages, as an element of HTML."""
    kind = "dark" if is_dark else "light"
    names = "\n".join(_variables(theme()[kind], kind))
    sheet = files("penstock.ui").joinpath("style.css").read_text("utf-8")
    return f"<style>:root {{\n{names}\n}}\n{sheet}{_DARK if is_dark else ''}</style>"


def _variables(told: Mapping[str, str], kind: str) -> Iterator[str]:
    yield f"--pen-soft: {SOFT[kind]};"
    yield f"--pen-accent: {told['primaryColor']};"
    yield f"--pen-line: {told['borderColor']};"
    for colour in COLOURS:
        yield f"--pen-{colour}-ink: {told[f'{colour}TextColor']};"
        yield f"--pen-{colour}-ground: {told[f'{colour}BackgroundColor']};"
