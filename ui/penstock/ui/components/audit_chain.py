"""The state of a tenant's audit chain: how far it is verified and signed, and its verification."""

from dataclasses import dataclass
from typing import cast

import streamlit as st
from sqlalchemy import Connection

from penstock.checkpoints import audit
from penstock.checkpoints.audit import marks
from penstock.checkpoints.audit.verification import missing_triggers, torn_chains
from penstock.contracts.audit import ChainStatus, Head
from penstock.contracts.clock import SystemClock
from penstock.runs.audit import ChainVerification, Stage, Verdict, last_signed_heads
from penstock.ui import session
from penstock.ui.components.badges import badge
from penstock.ui.components.markdown import ago, escaped, sentence, utc_instant

LOOK_S = 5.0
SLICE_S = 0.2
"""The pause between two slices, in which the page reacts to buttons."""

_KEY = "audit-verifying"
_FAULT_ROWS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    head: Head | None
    watch: ChainStatus | None
    is_torn: bool
    """Whether the head of the chain is not its last event."""
    unguarded: tuple[str, ...]


def show_chain() -> None:
    """Show the state of the chain and refresh it; more often while it is verified."""
    verifying = _under_way()
    is_busy = verifying is not None and verifying.verdict is None
    st.fragment(_chain, run_every=SLICE_S if is_busy else LOOK_S)()


def _chain() -> None:
    standing = session.read(_find)
    verifying = _under_way()
    with st.container(border=True, key="audit-chain"):
        if standing.head is None:
            st.markdown(
                "**Nothing was recorded yet.** Every move of a run, decision, call and vote appears"
                " here, in a chain that shows what is changed afterwards."
            )
            return
        _state(standing, verifying)
        _heads(standing)
        if verifying is None or verifying.verdict is not None:
            if verifying is not None and verifying.verdict is not None:
                _verdict(verifying.verdict)
            _buttons(standing)
        else:
            _slice(verifying)


def _find(connection: Connection) -> _Standing:
    tenant = session.tenant()
    return _Standing(
        head=audit.head(connection, tenant) or _headless(connection, tenant),
        watch=marks.watch(connection, tenant),
        is_torn=tenant in torn_chains(connection),
        unguarded=tuple(missing_triggers(connection)),
    )


def _headless(connection: Connection, tenant: str) -> Head | None:
    """Return a head for a chain whose own was deleted; None where there is no event either."""
    last = audit.last(connection, tenant, limit=1)
    return Head(tenant=tenant, number=last[0].number, hash="") if last else None


def _under_way() -> ChainVerification | None:
    found = cast("ChainVerification | None", st.session_state.get(_KEY))
    # Of another tenant or person it says nothing.
    return found if found is not None and found.is_of(session.tenant(), session.person()) else None


def _state(standing: _Standing, verifying: ChainVerification | None) -> None:
    head, now = cast("Head", standing.head), session.now()
    noted = None if standing.watch is None else standing.watch.verification
    verdict = None if verifying is None else verifying.verdict
    fault = None if noted is None else noted.fault
    if verdict is not None and verdict.faults:
        fault = str(verdict.faults[0])
    if standing.is_torn or fault is not None:
        number = 0 if noted is None else noted.number
        number = verdict.number if verdict is not None else number
        st.markdown(
            f"## :red[:material/link_off: The chain is broken]  \nVerified up to #{number:,}."
        )
        if fault is not None:
            st.error(f"{sentence(fault)}.", icon=":material/link_off:")
        if standing.is_torn:
            st.error(
                f"The head of the chain is at #{head.number:,} and is not its last event. Nothing"
                " can be added to it: runs of this tenant stand still. Verify all of it to see"
                " where it is broken.",
                icon=":material/link_off:",
            )
    elif noted is None:
        st.markdown(
            f"## :orange[:material/help: Not verified yet]  \nThe chain has come to"
            f" #{head.number:,}."
        )
    else:
        since = head.number - noted.number
        later = f"{since:,} events came since" if since > 0 else "nothing came since"
        st.markdown(
            f"## :green[:material/verified: Verified up to #{noted.number:,}]  \nThe chain has"
            f" come to #{head.number:,}: {later}."
        )
    if noted is not None:
        whole = ""
        if noted.whole_at != noted.at:
            whole = (
                ", what came since; it was never looked at as a whole"
                if noted.whole_at is None
                else f", what came since; all of it {ago(noted.whole_at, now)}"
            )
        st.caption(
            f"Verified {ago(noted.at, now)}, {utc_instant(noted.at)}, by"
            f" {escaped(noted.by)}{whole}."
        )
    if standing.watch is not None and standing.watch.cut_number:
        st.caption(
            f"Events 1 to {standing.watch.cut_number:,} are older than they are kept, and were"
            " taken away by retention."
        )
    for name in standing.unguarded:
        st.warning(
            f"The trigger {escaped(name)} is missing: rows can be changed by anybody who reaches"
            " the database.",
            icon=":material/lock_open:",
        )


def _heads(standing: _Standing) -> None:
    watch, now = standing.watch, session.now()
    if watch is not None and watch.failed_at is not None:
        st.warning(
            f"**The last signed head could not be written out** {ago(watch.failed_at, now)}, to"
            f" {escaped(watch.shipped_to or '')}: {escaped(watch.failure or '')}. Workers try"
            " again; what is cut off meanwhile is not found.",
            icon=":material/cloud_off:",
        )
    if watch is not None and watch.shipped_at is not None:
        since = max(cast("Head", standing.head).number - watch.shipped_number, 0)
        st.markdown(
            f"{badge('green', 'signed', 'signature')} Head #{watch.shipped_number:,} was signed and"
            f" written out {ago(watch.shipped_at, now)}"
            + (f" to {escaped(watch.shipped_to)}" if watch.shipped_to else "")
            + (f"; {since:,} events came since." if since else ".")
        )
    elif watch is None or watch.failed_at is None:
        st.markdown(
            f"{badge('gray', 'not signed', 'signature')} No head was signed. Without signed heads"
            " elsewhere, a chain that was rewritten as a whole is not found: `penstock audit"
            " keygen`, then `PENSTOCK_AUDIT_KEY` and `PENSTOCK_AUDIT_HEADS` for the workers."
        )


def _buttons(standing: _Standing) -> None:
    noted = None if standing.watch is None else standing.watch.verification
    can_go_on = noted is not None and noted.number > 0 and noted.fault is None
    with st.container(horizontal=True):
        if (
            noted is not None
            and can_go_on
            and st.button(
                f"Verify what came since #{noted.number:,}",
                type="primary",
                icon=":material/verified:",
                key="chain-since",
            )
        ):
            _begin(is_whole=False)
        if st.button(
            "Verify all of it",
            type="secondary" if can_go_on else "primary",
            icon=":material/policy:",
            key="chain-whole",
            help="Every event from the first one on, then all that the chain tells of",
        ):
            _begin(is_whole=True)


def _begin(*, is_whole: bool) -> None:
    desk = session.desk()
    settings, tenant = desk.settings, session.tenant()
    st.session_state[_KEY] = ChainVerification(
        desk.store,
        desk.people,
        SystemClock(),
        tenant=tenant,
        by=session.person(),
        with_="in the control room",
        is_whole=is_whole,
        signed=last_signed_heads(settings.audit_heads, settings.audit_key, tenant=tenant),
    )
    st.rerun()


def _slice(verifying: ChainVerification) -> None:
    """Verify one more slice, and show the progress."""
    verifying.advance()
    if verifying.verdict is not None:
        st.rerun()
    what = "events" if verifying.stage is Stage.CHAIN else "runs, against what the chain says"
    total = max(verifying.total, verifying.done_count, 1)
    st.progress(
        verifying.done_count / total, text=f"Looks at {what}: {verifying.done_count:,} of {total:,}"
    )
    if st.button("Stop", icon=":material/stop:", key="chain-stop"):
        del st.session_state[_KEY]
        st.rerun()


def _verdict(verdict: Verdict) -> None:
    """Show the result of the last verification in this window."""
    what = "all of it" if verdict.is_whole else "what came since"
    if verdict.faults:
        many = len(verdict.faults)
        st.markdown(
            f"**{many:,} {'thing is' if many == 1 else 'things are'} wrong.** A row is the number"
            " of an event."
        )
        for fault in verdict.faults[:_FAULT_ROWS]:
            st.markdown(f"- {sentence(str(fault))}")
        if many > _FAULT_ROWS:
            st.caption(f"The first {_FAULT_ROWS}; `penstock audit verify` tells more.")
    else:
        signed = (
            f" Signed heads agree up to #{verdict.signed_number:,}."
            if verdict.signed_number
            else " No signed heads were at hand to hold it against."
        )
        st.success(
            f"Looked at {what}: everything up to #{verdict.number:,} is as it was written.{signed}",
            icon=":material/verified:",
        )
    if not verdict.is_recorded:
        st.caption("It could not be noted for others just now; verify again.")
