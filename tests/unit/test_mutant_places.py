"""Each mutant breaks one place of the code as it is, and the tests that guard it exist."""

import ast
from functools import cache

from support.checkout import ROOT
from support.mutants import Code, Misfit, load

MUTANTS = [mutant for mutants in load().values() for mutant in mutants]


def test_each_mutant_breaks_one_place() -> None:
    code = Code(ROOT)
    wrong: list[str] = []
    for mutant in MUTANTS:
        try:
            broken = code.broken(mutant)
            compile(broken.text, broken.path, "exec")
        except Misfit as error:
            wrong.append(str(error))
        except (SyntaxError, ValueError) as error:
            wrong.append(f"mutant `{mutant.claim}` makes no valid code: {error}")
    assert not wrong, "\n\n".join([f"{len(wrong)} mutants do not fit:", *wrong])


def test_each_guarding_test_exists() -> None:
    named = {(test, mutant.claim) for mutant in MUTANTS for test in mutant.killed_by}
    missing = sorted(f"{test} of `{claim}`" for test, claim in named if not _exists(test))
    assert not missing, "\n".join(missing)


def test_each_claim_is_made_once() -> None:
    claims = [mutant.claim for mutant in MUTANTS]
    assert sorted(claims) == sorted(set(claims))


def _exists(test: str) -> bool:
    path, _, name = test.partition("::")
    return (ROOT / path).is_file() and name.partition("[")[0] in {"", *_tests(path)}


@cache
def _tests(path: str) -> frozenset[str]:
    """Return the names of the tests of a file, with their classes'."""
    names: set[str] = set()
    for node in ast.parse((ROOT / path).read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            inner = (each for each in node.body if hasattr(each, "name"))
            names |= {f"{node.name}::{getattr(each, 'name', '')}" for each in inner}
    return frozenset(names)
