"""The page about Penstock from Python is executed, and the public names are the listed ones."""

import dataclasses
import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from penstock.runs import Pace
from support.checkout import ROOT

PAGE = ROOT / "docs" / "python.md"

PUBLIC = {
    "penstock.checkpoints": ["Checkpointer", "Fork", "Store", "fenced", "migrate"],
    "penstock.graphs": [
        *("Catalog", "Graph", "Manifest"),
        *("declare", "input_schema", "read_manifest", "validate_input"),
    ],
    "penstock.nodes": [
        *("Attempt", "Cost", "DidNot", "EffectClass", "Extractor", "FactType"),
        *("Happened", "IdempotencyKey", "IsolationTier", "Permanent", "RefusedByService"),
        *("RetryAfter", "RetryPlan", "Retryable", "SecretRef", "Taint"),
        *("Terms", "Tool", "Unknown"),
        *("adopt", "fact", "minor_units", "real_path", "recipient_domains"),
        *("tool", "url_host"),
    ],
    "penstock.runs": [
        *("Approvals", "Auditor"),
        *("BlockingApprovals", "BlockingBulk", "BlockingPolicies", "BlockingRuntime"),
        *("Bulk", "Engine", "Fleet", "LocalEngine", "Pace", "Policies", "Runtime", "Worker"),
    ],
}


def test_the_examples_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, Any] = {
        "__name__": "example",
        "URL": f"sqlite:///{tmp_path / 'penstock.db'}",
    }
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)  # noqa: S102  (ours)
    assert capsys.readouterr().out.splitlines() == [
        "{'name': 'Ann', 'greeting': 'Hello, Ann!'}",
        "LocalEngine",
        "4",
        "True",
    ]


def test_the_fields_of_a_pace_are_explained_with_their_defaults() -> None:
    table = PAGE.read_text().split("| field of `Pace` |", 1)[1].split("\n\n", 1)[0]
    cells = [line.strip("|").split("|") for line in table.splitlines()[2:]]
    explained = {name.strip().strip("`"): float(default) for name, default, _ in cells}
    assert explained == {field.name: field.default for field in dataclasses.fields(Pace)}


@pytest.mark.parametrize("package", PUBLIC)
def test_the_public_names_of_a_package_are_the_listed_ones(package: str) -> None:
    module = importlib.import_module(package)
    assert list(module.__all__) == PUBLIC[package]


@pytest.mark.parametrize("package", [*PUBLIC, "penstock.policies"])
def test_each_public_name_is_there_and_says_what_it_is(package: str) -> None:
    module = importlib.import_module(package)
    assert list(module.__all__) == sorted(module.__all__)
    for name in module.__all__:
        found = getattr(module, name)
        if inspect.isclass(found) or inspect.isfunction(found):
            assert inspect.getdoc(found), name
