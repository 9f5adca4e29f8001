"""The theme of the control room: its style sheet, and the colours that pictures take from it."""

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import streamlit as st

COLOURS = ("red", "orange", "yellow", "green", "blue", "violet", "gray")
MUTED = {"light": "#52606d", "dark": "#a9b6c0"}
"""The colour of text that is beside the point."""

# Streamlit writes in white on the colour that buttons have, whatever the colour.
_DARK = """
[data-testid^="stBaseButton-primary"], [data-testid^="stBaseButton-primary"] * { color: #06252a; }
"""


def theme() -> Mapping[str, Any]:
    """Return the theme that the package brings."""
    text = files("penstock.ui").joinpath("theme.toml").read_text("utf-8")
    return tomllib.loads(text)["theme"]


def is_dark() -> bool:
    """Tell whether the browser shows the dark theme."""
    return st.context.theme.type == "dark"


@cache
def style(*, is_dark: bool) -> str:
    """Return the style sheet of all pages, as an element of HTML."""
    kind = "dark" if is_dark else "light"
    names = "\n".join(_variables(theme()[kind], kind))
    sheet = files("penstock.ui").joinpath("style.css").read_text("utf-8")
    return f"<style>:root {{\n{names}\n}}\n{sheet}{_DARK if is_dark else ''}</style>"


def _variables(colours: Mapping[str, str], kind: str) -> Iterator[str]:
    yield f"--pen-soft: {MUTED[kind]};"
    yield f"--pen-accent: {colours['primaryColor']};"
    yield f"--pen-line: {colours['borderColor']};"
    for colour in COLOURS:
        yield f"--pen-{colour}-ink: {colours[f'{colour}TextColor']};"
        yield f"--pen-{colour}-ground: {colours[f'{colour}BackgroundColor']};"
