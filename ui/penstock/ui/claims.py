"""What an identity provider says of somebody, and whether the room takes its word for it."""

from collections.abc import Mapping
from datetime import datetime

from penstock.contracts.errors import NotAllowed
from penstock.runs.settings import Settings


def login_of(claims: Mapping[str, object], settings: Settings, now: datetime) -> str | None:
    """Return the login that claims prove; None where they are too old, or not meant for this room.

    Signature, issuer, nonce and expiry were checked when they came. But Streamlit keeps them for a
    month, and takes a token that names another client if it says that this one may use it.

    Raises:
        NotAllowed: the provider has not made sure that the address is theirs.
    """
    ours, meant_for = settings.oidc_client_id, claims.get("aud")
    if ours is None or not (
        meant_for == ours or (isinstance(meant_for, list) and ours in meant_for)
    ):
        return None
    begun = claims.get("iat")
    if not isinstance(begun, int | float) or isinstance(begun, bool):
        return None
    if now.timestamp() - begun >= settings.ui_session_s:
        return None
    login = claims.get(settings.oidc_claim)
    if not isinstance(login, str) or not login:
        return None
    if settings.oidc_claim == "email" and claims.get("email_verified") is False:
        raise NotAllowed(
            f"the identity provider has not made sure that `{login}` is yours; have it verified"
            " there, then log in again"
        )
    return login
