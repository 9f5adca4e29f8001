"""Decisions of a policy, and what it decides about."""

from support.mutants import Mutant

DECISIONS = "tests/unit/policies/test_decisions.py"
DIRECTORY = "tests/unit/policies/test_directory.py"
PROPERTIES = "tests/unit/policies/test_properties.py"
REFUSALS = "tests/unit/policies/test_refusals.py"
SHAPES = "tests/unit/policies/test_shapes.py"

MUTANTS = [
    Mutant(
        "a user of another tenant is let in",
        at="CompiledPolicy._refuse",
        old="not who.tenant or who.tenant != request.tenant",
        new="not who.tenant",
        killed_by=[DECISIONS],
    ),
    Mutant(
        "who has no tenant is in the tenant without a name",
        at="CompiledPolicy._refuse",
        old="not who.tenant or who.tenant != request.tenant",
        new="who.tenant != request.tenant",
        killed_by=[DECISIONS],
    ),
    Mutant(
        "a tool is called without its scopes",
        at="CompiledPolicy._refuse",
        old="""
            if missing:
                ...
        """,
        new="""
            if missing and not request:
                ...
        """,
        killed_by=[DECISIONS],
    ),
    Mutant(
        "a policy in shadow mode is enforced",
        at="CompiledPolicy.__init__",
        old="policy.id not in shadow",
        new="policy.id",
        killed_by=[DECISIONS],
    ),
    Mutant(
        "an error is not a deny",
        at="Judge.judge",
        old="""
            if answer.errors:
                return self._error(answer.errors[0])
        """,
        new="",
        killed_by=[DECISIONS],
    ),
    Mutant(
        "a library that fails raises",
        at="Judge.judge",
        old="""
            except Exception as error:
                ...
        """,
        new="""
            except KeyError as error:
                ...
        """,
        killed_by=[DECISIONS],
    ),
    Mutant(
        "a gate is a permit",
        at="Judge.judge",
        old="not answer.is_allowed or not deciding",
        new="not answer.is_allowed",
        killed_by=[PROPERTIES],
    ),
    Mutant(
        "a forbid does not win",
        at="Judge.judge",
        old="not answer.is_allowed or not deciding",
        new="not deciding",
        killed_by=[DECISIONS],
    ),
    Mutant(
        "a gate asks nobody",
        at="Judge.judge",
        old="Verdict.ASK if asking else Verdict.ALLOW",
        new="Verdict.ALLOW",
        killed_by=[DECISIONS],
    ),
    Mutant(
        "one gate alone is asked",
        at="Judge.judge",
        old="(self._rules[name] for name in asking)",
        new="(self._rules[name] for name in asking[:1])",
        killed_by=[DECISIONS],
    ),
    Mutant(
        "a number is looked at that no policy looks at",
        at="_seen",
        old="_all(each.args for each in looks)",
        new="None",
        killed_by=[DECISIONS],
    ),
    Mutant(
        "a fact is looked at that no policy looks at",
        at="_seen",
        old="_all(each.facts for each in looks)",
        new="None",
        killed_by=[DECISIONS],
    ),
    Mutant(
        "what another policy looks at is not looked at",
        at="_all",
        old="names |= each",
        new="names = each",
        killed_by=[f"{DECISIONS}::test_what_one_of_several_policies_looks_at_is_looked_at"],
    ),
    Mutant(
        "what a policy looks at as a whole is not looked at",
        at="references_of",
        old="whole.add(part)",
        new="whole.discard(part)",
        killed_by=[
            f"{DECISIONS}::test_a_policy_that_takes_all_arguments_at_once_looks_at_each",
            f"{DECISIONS}::test_a_policy_that_takes_all_facts_at_once_looks_at_each",
        ],
    ),
    Mutant(
        "what a policy asks for with has is not looked at",
        at="_path",
        old="None if isinstance(base, pst.HasAttr) else _path(base)",
        new="None",
        killed_by=[REFUSALS],
    ),
    Mutant(
        "an amount is rounded",
        at="_decimal",
        old="not is_exact",
        new="not is_exact and place == ''",
        killed_by=[DECISIONS],
    ),
    Mutant(
        "an amount beyond decimals wraps",
        at="_decimal",
        old="not LEAST_WHOLE <= scaled <= GREATEST_WHOLE",
        new="scaled == 0 and place == ''",
        killed_by=[DECISIONS],
    ),
    Mutant(
        "a whole number beyond 64 bits is given to Cedar",
        at="_whole",
        old="not LEAST_WHOLE <= value <= GREATEST_WHOLE",
        new="value == 0 and place == ''",
        killed_by=[DECISIONS],
    ),
    Mutant(
        "a missing argument is not missed",
        at="record_value",
        old="field.is_required",
        new="field.is_required and not place",
        killed_by=[DECISIONS],
    ),
    Mutant(
        "a sensitive field is seen",
        at="_Reader._field",
        old="'.'.join(self.path) in self.contract.sensitive",
        new="not self.path",
        killed_by=[SHAPES],
    ),
    Mutant(
        "a field claims to be an entity",
        at="_Reader._record",
        old="name in CEDARS_OWN",
        new="not name",
        killed_by=[SHAPES],
    ),
    Mutant(
        "a leaver keeps rights until a restart",
        at="Directory._now",
        old="mark == self._mark",
        new="self._mark",
        killed_by=[DIRECTORY],
    ),
    Mutant(
        "a user's scopes are not the agent's too",
        at="Directory.principal",
        old="known.scopes & theirs",
        new="known.scopes | theirs",
        killed_by=[DIRECTORY],
    ),
    Mutant(
        "a member of another tenant is one",
        at="Directory.has",
        old="user.tenant == tenant",
        new="",
        killed_by=[DIRECTORY],
    ),
    Mutant(
        "who is unknown is of the run's tenant",
        at="Directory.principal",
        old="tenant=''",
        new="tenant='acme'",
        killed_by=[DIRECTORY],
    ),
]
