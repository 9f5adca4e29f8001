"""What is written can be read: a contrast of 4.5 (WCAG 2.2, 1.4.3) on each ground."""

import re
from importlib.resources import files
from itertools import product

import pytest

from penstock.ui.theme import COLOURS, MUTED, style, theme

THEME = theme()
LOGIN = files("penstock.ui").joinpath("login.html").read_text("utf-8")


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("kind", ["light", "dark"])
def test_text_and_links_can_be_read_on_every_ground(kind: str) -> None:
    told = THEME[kind]
    grounds = [told["backgroundColor"], told["secondaryBackgroundColor"]]
    grounds.append(told["sidebar"]["backgroundColor"])
    for ink, ground in product((told["textColor"], told["linkColor"], MUTED[kind]), grounds):
        assert contrast(ink, ground) >= 4.5, (ink, ground)


@pytest.mark.parametrize(("kind", "colour"), list(product(["light", "dark"], COLOURS)))
def test_badges_and_coloured_words_can_be_read(kind: str, colour: str) -> None:
    told = THEME[kind]
    ink = told[f"{colour}TextColor"]
    assert contrast(ink, told[f"{colour}BackgroundColor"]) >= 4.5
    assert contrast(ink, told["backgroundColor"]) >= 4.5


def test_words_on_buttons_can_be_read() -> None:
    assert contrast("#ffffff", THEME["light"]["primaryColor"]) >= 4.5
    assert contrast("#06252a", THEME["dark"]["primaryColor"]) >= 4.5


def test_page_to_log_in_at_can_be_read_light_and_dark() -> None:
    light, dark = (
        dict(re.findall(r"--(\w+): (#\w+)", part)) for part in LOGIN.split("prefers-color", 1)
    )
    light["card"] = light["on"] = "#ffffff"
    for told in (light, dark):
        for ink in ("ink", "soft", "water", "bad"):
            assert contrast(told[ink], told["card"]) >= 4.5, ink
        assert contrast(told["on"], told["water"]) >= 4.5


@pytest.mark.parametrize("is_dark", [False, True])
def test_every_colour_that_the_sheet_names_is_one_of_the_theme(*, is_dark: bool) -> None:
    sheet = style(is_dark=is_dark)
    named = set(re.findall(r"var\((--[\w-]+)\)", sheet))
    assert named
    assert named <= set(re.findall(r"(--[\w-]+): #", sheet))
