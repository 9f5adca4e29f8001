"""The page about tools is the code."""

import re
from pathlib import Path
from typing import Any

import pytest

from penstock.contracts import errors
from penstock.contracts.errors import ToolError
from penstock.contracts.tool import REPEATABLE, EffectClass
from penstock.nodes import RetryPlan, Terms
from penstock.nodes.tools.terms import Options
from support.checkout import ROOT

PAGE = ROOT / "docs" / "tools.md"


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table whose heading row begins so, without their backticks."""
    table = PAGE.read_text().split(f"| {heading} |", 1)[1].split("\n\n", 1)[0]
    return [
        [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        for line in table.splitlines()[2:]
    ]


def test_every_class_is_explained() -> None:
    assert [name for name, _, _ in rows("class | then")] == list(EffectClass)


def test_the_first_four_classes_may_be_repeated() -> None:
    assert {name for name, _, _ in rows("class | then")[:4]} == REPEATABLE


def test_every_term_is_explained() -> None:
    told = [name for name, _ in rows("term | says")]
    assert sorted(told) == sorted(Terms.__annotations__)
    assert sorted(told) == sorted(Options.__dataclass_fields__)


def test_every_error_of_tools_is_explained() -> None:
    raised = {
        name
        for name, member in vars(errors).items()
        if isinstance(member, type) and issubclass(member, ToolError) and member is not ToolError
    }
    assert {name for name, _ in rows("error | says")} == raised


def test_the_numbers_of_the_page_are_the_defaults() -> None:
    told = dict(rows("term | says"))
    assert told["timeout_s"].endswith(f"; {Options().timeout_s:g}")
    assert told["margin_s"].endswith(f"; {Options().margin_s:g}")
    assert RetryPlan().attempt_limit == 3


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(example, str(Path("tools.md")), "exec"), names)  # noqa: S102  (ours)
    assert capsys.readouterr().out == ("['cents', 'order_id']\nkeyed 86400.0 ['PAYMENTS_TOKEN']\n")
