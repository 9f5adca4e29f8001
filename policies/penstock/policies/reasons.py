"""Why a call is denied where no policy says so."""

from enum import StrEnum


class Reason(StrEnum):
    """Stands among the reasons of a decision like a policy's `@id`, which may be none of these."""

    TENANT = "tenant"
    """Whoever the run acts for belongs to another tenant."""
    SCOPES = "scopes"
    """User and agent do not both have a scope that the tool wants."""
    UNKNOWN_TOOL = "unknown_tool"
    """The policy was made without this tool."""
    TOO_LARGE = "too_large"
    """A number that a policy looks at is beyond what it can compare, or finer."""
    UNFIT = "unfit"
    """An argument or a fact that a policy looks at is not what the contract says."""
    FACT = "fact"
    """A fact could not be computed."""
    ERROR = "evaluation_error"
    """A policy could not be evaluated; one that errs would else be skipped, a forbid too."""
