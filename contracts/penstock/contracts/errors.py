"""Everything Penstock raises that a caller may handle, and what a tool raises itself.

One root, a stable `code` on each class, and whether trying again can help. Codes are listed in
`docs/errors.md`, which a test holds to this module; a code is never given a second meaning.

A tool raises a `ToolError` to say that nothing happened. Any other error of a tool leaves that
open: it puts a call of class `probe` or `unsafe` in doubt.

Control signals (a lost lease, a cancelled run) are not errors: see `penstock.contracts.signals`.
"""

from typing import ClassVar

from penstock.contracts.budget import Shortfall
from penstock.contracts.call import Failed, InDoubt, Refused


class PenstockError(Exception):
    """The root of all errors raised by Penstock."""

    code: ClassVar[str] = "internal"
    """Stable name of the kind of error, for programs."""
    retryable: ClassVar[bool] = False
    """Whether the same call may succeed later without anything being changed by hand."""


class UnknownRun(PenstockError):
    """No run has this id."""

    code = "unknown_run"


class IllegalTransition(PenstockError):
    """A run was asked to make a move that its state does not allow."""

    code = "illegal_transition"


class RunKeyReused(PenstockError):
    """A key that names a run was used again for something else."""

    code = "run_key_reused"


class UnknownGate(PenstockError):
    """No gate has this id."""

    code = "unknown_gate"


class GateClosed(PenstockError):
    """A gate was to be decided that is not open any more."""

    code = "gate_closed"


class GateStale(PenstockError):
    """A vote was cast on something else than what waits at the gate now."""

    code = "gate_stale"


class VoteRefused(PenstockError):
    """Somebody voted who may not, or not so; the gate is as it was."""

    code = "vote_refused"


class NotAllowed(PenstockError):
    """Somebody wanted to do what their roles do not let them do; nothing was changed."""

    code = "not_allowed"


class EditRefused(PenstockError):
    """Edited arguments cannot take the place of those that wait; the gate is as it was."""

    code = "edit_refused"


class GateNotReady(PenstockError):
    """A gate asks about something that may still be under way."""

    code = "gate_not_ready"
    retryable = True


class OverBudget(PenstockError):
    """A call was to be made that its budget does not hold; nothing was started."""

    code = "over_budget"

    def __init__(self, shortfall: Shortfall, name: str) -> None:
        super().__init__(_short(shortfall, name))
        self.shortfall = shortfall
        self.name = name


class UnknownEffect(PenstockError):
    """No effect has this key."""

    code = "unknown_effect"


class UnknownWorker(PenstockError):
    """No worker with this id was heard of in the last day."""

    code = "unknown_worker"


class InvalidLink(PenstockError):
    """A link to a gate is forged, too old, or was followed by somebody else already."""

    code = "invalid_link"


class InvalidAnswer(PenstockError):
    """An answer does not fit what the gate asks for."""

    code = "invalid_answer"


class ThreadBusy(PenstockError):
    """A thread that a live run owns was to be changed by somebody else."""

    code = "thread_busy"


class ThreadExists(PenstockError):
    """A thread was to be copied onto one that already holds checkpoints."""

    code = "thread_exists"


class UnknownGraph(PenstockError):
    """No graph of this process has this name."""

    code = "unknown_graph"


class InvalidManifest(PenstockError):
    """A `langgraph.json` is missing, or is not one."""

    code = "invalid_manifest"


class InvalidGraph(PenstockError):
    """What was named as a graph cannot be imported, built or declared."""

    code = "invalid_graph"


class InvalidInput(PenstockError):
    """An input does not fit the graph it was meant for; no run was queued."""

    code = "invalid_input"


class InvalidContract(PenstockError):
    """What a tool declares of itself cannot be kept; raised where it is declared."""

    code = "invalid_contract"


class InvalidResult(PenstockError):
    """A tool returned something that is not what its contract says, so it cannot be recorded."""

    code = "invalid_result"


class UnknownTool(PenstockError):
    """No tool of the graph has this name."""

    code = "unknown_tool"


class OutsideRun(PenstockError):
    """A governed tool was called where no run is."""

    code = "outside_run"


class ToolRefused(PenstockError):
    """A tool that code called directly was refused; nothing was started."""

    code = "tool_refused"

    def __init__(self, tool: str, outcome: Refused) -> None:
        super().__init__(f"`{tool}` was refused ({outcome.code}): {outcome.message}")
        self.outcome = outcome


class ToolFailed(PenstockError):
    """A tool that code called directly failed; nothing happened."""

    code = "tool_failed"

    def __init__(self, tool: str, outcome: Failed) -> None:
        super().__init__(f"`{tool}` failed ({outcome.code}): {outcome.message}")
        self.outcome = outcome
        """Says whether the same call may succeed later."""


class ToolInDoubt(PenstockError):
    """Nobody knows whether a tool that code called directly has done it."""

    code = "tool_in_doubt"

    def __init__(self, tool: str, outcome: InDoubt) -> None:
        super().__init__(f"`{tool}` is in doubt: {outcome.message}")
        self.outcome = outcome


class InvalidPolicy(PenstockError):
    """A policy cannot be used: the message names each problem with its file and line."""

    code = "invalid_policy"


class UnknownPolicy(PenstockError):
    """No version of a policy has this name."""

    code = "unknown_policy"


class PolicyChanged(PenstockError):
    """Another version decides by now than whoever wanted to replace it has seen."""

    code = "policy_changed"


class InvalidDirectory(PenstockError):
    """The file that says who is who is missing, or is not one."""

    code = "invalid_directory"


class UnknownPerson(PenstockError):
    """Nobody of this name, or of this login, is in the directory."""

    code = "unknown_person"


class InvalidAccounts(PenstockError):
    """The file of accounts cannot be used, or a name or a password cannot."""

    code = "invalid_accounts"


class InvalidSettings(PenstockError):
    """What the environment says about this process cannot be used."""

    code = "invalid_settings"


class InvalidAuditKey(PenstockError):
    """A key for signed heads, or the file with the heads, cannot be used."""

    code = "invalid_audit_key"


class ProjectExists(PenstockError):
    """A file was to be written where there is one already."""

    code = "project_exists"


class PortTaken(PenstockError):
    """Another program listens where one was to be started."""

    code = "port_taken"


class PhoenixUnreachable(PenstockError):
    """Phoenix does not answer, or not now; whether it did what it was asked is not known."""

    code = "phoenix_unreachable"
    retryable = True


class RunStale(PenstockError):
    """A run has changed since somebody saw it and meant it so; it was left as it is."""

    code = "run_stale"


class TooManyRuns(PenstockError):
    """More runs fit a filter than are acted on unasked; nothing was changed."""

    code = "too_many_runs"


class UnstorableValue(PenstockError):
    """A channel of a graph's state holds something that a checkpoint cannot keep."""

    code = "unstorable_value"


class CheckpointCorrupt(PenstockError):
    """A stored checkpoint cannot be put together again."""

    code = "checkpoint_corrupt"


class UnknownCheckpoint(PenstockError):
    """A run has no checkpoint of this id, or has it no more."""

    code = "unknown_checkpoint"


class UnsafeDeserialization(PenstockError):
    """LangGraph was imported without its strict mode, so stored data could run code."""

    code = "unsafe_deserialization"


class MigrationNeeded(PenstockError):
    """The store's tables are not those of this version."""

    code = "migration_needed"


class StoreError(PenstockError):
    """The store did not do what it was asked; nothing of the change was kept."""

    code = "store_error"


class StoreBusy(StoreError):
    """Another process kept the store's write lock for too long."""

    code = "store_busy"
    retryable = True


class StoreFull(StoreError):
    """The disk under the store, or the store's own limit, is full."""

    code = "store_full"


class StoreBroken(StoreError):
    """The disk or the server under the store answered with a failure."""

    code = "store_broken"


class AuditBroken(StoreError):
    """The audit chain is not as it was written, so nothing may be added to it."""

    code = "audit_broken"


class WriteLost(StoreError):
    """A write that had been acknowledged early did not reach the store."""

    code = "write_lost"


class WriterStopped(StoreError):
    """The store's writer is closed or has died; nothing more is written by this process."""

    code = "writer_stopped"


class ToolError(PenstockError):
    """The call failed, and nothing happened."""

    code = "tool_error"


class Retryable(ToolError):
    """Nothing happened; the same call may succeed later."""

    code = "tool_retryable"
    retryable = True

    def __init__(self, message: str, *, after_s: float | None = None) -> None:
        super().__init__(message)
        self.after_s = after_s
        """How long the service asks to be left alone."""


class Permanent(ToolError):
    """Nothing happened, and the same call will fail again."""

    code = "tool_permanent"


class RefusedByService(ToolError):
    """Nothing happened: the service understood the call and will not do it."""

    code = "tool_refused_by_service"


def _short(found: Shortfall, name: str) -> str:
    """Say what is left, what was wanted, and what to do."""
    where = f"the budget of the {found.kind}"
    if not found.is_priced:
        return (
            f"`{name}` has no known price, and {where} caps money; name one in `Budget(prices=…)`,"
            " or leave money without a cap"
        )
    of, wanted_of = found.currency or "", found.wanted_currency or found.currency or ""
    if of != wanted_of:
        return f"{where} caps {found.unit} in {of}, and `{name}` may take some in {wanted_of}"
    return f"{found.explanation(name)}; finish without it, or start a run with a larger budget"
