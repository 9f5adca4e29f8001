"""Mistakes in a policy that are found before it decides, and facts that it reads from arguments."""

from support.mutants import Mutant

FACTS = "tests/unit/policies/test_facts.py"
REFUSALS = "tests/unit/policies/test_refusals.py"

MUTANTS = [
    Mutant(
        "a forbid may calculate",
        at="_problems_of_arithmetic",
        old="policy.tree.effect != 'forbid'",
        new="",
        killed_by=[REFUSALS],
    ),
    Mutant(
        "a gate may calculate",
        at="_problems_of_arithmetic",
        old="policy.statement.set is not PolicySetName.GATES",
        new="",
        killed_by=[REFUSALS],
    ),
    Mutant(
        "a field that is never there may be asked for",
        at="_problems_of_argument",
        old="len(lacking) == len(tools)",
        new="not tools",
        killed_by=[REFUSALS],
    ),
    Mutant(
        "a field that nobody sees may be asked for",
        at="_problems_of_argument",
        old="""
            if out:
                ...
            else:
                ...
        """,
        new="""
            if out and not path:
                ...
            else:
                ...
        """,
        killed_by=[REFUSALS],
    ),
    Mutant(
        "a role that is none may be named",
        at="_problems_of_entities",
        old="names is not None and name not in names",
        new="names is None",
        killed_by=[REFUSALS],
    ),
    Mutant(
        "a group that is none may decide",
        at="_problems_of_gate",
        old="groups is not None and told.get(name) and told[name] not in groups",
        new="groups is None and told.get(name)",
        killed_by=[REFUSALS],
    ),
    Mutant(
        "a misspelt annotation is let through",
        at="problems_of_annotations",
        old="name not in allowed",
        new="not name",
        killed_by=[REFUSALS],
    ),
    Mutant(
        "a forbid may stand among the gates",
        at="_problems_of_gate",
        old="policy.tree.effect != 'permit'",
        new="not policy.tree.effect",
        killed_by=[REFUSALS],
    ),
    Mutant(
        "two policies have one id",
        at="_problems_of_ids",
        old="policy.id and before is not policy",
        new="not policy.id and before is not policy",
        killed_by=[REFUSALS],
    ),
    Mutant(
        "a template is let through",
        at="parse",
        old="tree.templates",
        new="tree.templates and not statement.text",
        killed_by=[REFUSALS],
    ),
    Mutant(
        "a link out of a folder is not followed",
        at="RealPath.read",
        old="os.path.realpath",
        new="os.path.normpath",
        killed_by=[FACTS],
    ),
    Mutant(
        "a relative path counts from where the worker is",
        at="RealPath.read",
        old="os.path.isabs(path)",
        new="path",
        killed_by=[FACTS],
    ),
    Mutant(
        "a URL may name a user",
        at="UrlHost.read",
        old="'@' in parts.netloc",
        new="not parts.netloc",
        killed_by=[FACTS],
    ),
    Mutant(
        "a URL may have a backslash",
        at="UrlHost.read",
        old="_UNSAFE.search(url)",
        new="not url",
        killed_by=[FACTS],
    ),
    Mutant(
        "a host may be a number",
        at="host_name",
        old="not _LAST_LABEL_IS_NUMBER.fullmatch(name)",
        new="name",
        killed_by=[FACTS],
    ),
    Mutant(
        "an amount in money is rounded",
        at="MinorUnits.read",
        old="""
            if rest:
                ...
        """,
        new="""
            if rest and not where:
                ...
        """,
        killed_by=[FACTS],
    ),
]
