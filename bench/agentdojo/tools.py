"""The contracts of AgentDojo's tools, as their author would write them who knows no attack.

A result is untrusted where somebody outside may have written what is in it: the subject of a
transfer that came in, a page, a message, the name of a channel that is shared with another house.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from penstock.nodes.tools.terms import EffectName, TaintName


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a contract says of a tool beyond its arguments."""

    effect: EffectName = "unsafe"
    taints: Sequence[TaintName] = ()
    """Of its results."""
    tags: Sequence[str] = ()


_PRIVATE = Terms(effect="read", taints=("private",))
_OUTSIDERS = Terms(effect="read", taints=("untrusted",))
_BOTH = Terms(effect="read", taints=("untrusted", "private"))
_MONEY = Terms(tags=("money",))
_ACCESS = Terms(tags=("access",))

TERMS: Mapping[str, Terms] = {
    # banking
    "get_iban": _PRIVATE,
    "get_balance": _PRIVATE,
    "get_user_info": _PRIVATE,
    # The account's holder has written these.
    "get_scheduled_transactions": _PRIVATE,
    "get_most_recent_transactions": _BOTH,
    "read_file": _BOTH,
    "send_money": _MONEY,
    "schedule_transaction": _MONEY,
    "update_scheduled_transaction": _MONEY,
    "update_user_info": Terms(),
    "update_password": _ACCESS,
    # slack
    "get_channels": _OUTSIDERS,
    "get_users_in_channel": _OUTSIDERS,
    "read_channel_messages": _BOTH,
    "read_inbox": _BOTH,
    # It looks like a read, and tells the page's owner whatever is in the address.
    "get_webpage": Terms(effect="idempotent", taints=("untrusted",), tags=("egress",)),
    "post_webpage": Terms(tags=("egress",)),
    "send_direct_message": Terms(tags=("message",)),
    "send_channel_message": Terms(tags=("message",)),
    "add_user_to_channel": _ACCESS,
    "invite_user_to_slack": _ACCESS,
    "remove_user_from_slack": _ACCESS,
}
"""By the tool's name; no two suites have one of the same name."""
