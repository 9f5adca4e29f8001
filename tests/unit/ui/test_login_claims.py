"""What a provider says of somebody: whom it lets in, and for how long."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from penstock.contracts.errors import NotAllowed
from penstock.runs.settings import Settings
from penstock.ui.login import claimed_login

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SETTINGS = Settings(oidc_client_id="room", ui_session_s=3600)


def login(**more: Any) -> str | None:
    """Return whom claims let in that differ so from those of somebody who has just logged in."""
    told = {"aud": "room", "iat": NOW.timestamp(), "email": "fay@example.org"}
    return claimed_login({**told, **more}, SETTINGS, NOW)


def test_whoever_the_provider_names_comes_in() -> None:
    assert login() == "fay@example.org"
    assert login(aud=["wiki", "room"], email_verified=True) == "fay@example.org"


@pytest.mark.parametrize("aud", ["wiki", ["wiki"], [], None, "roommate", {"room": 1}])
def test_token_for_another_client_lets_nobody_in(aud: object) -> None:
    assert login(aud=aud, azp="room") is None


def test_room_without_a_client_id_lets_nobody_in() -> None:
    assert claimed_login({"aud": None, "iat": 0, "email": "eve"}, Settings(), NOW) is None


def test_session_ends_after_its_time() -> None:
    assert login(iat=(NOW - timedelta(seconds=3599)).timestamp()) == "fay@example.org"
    assert login(iat=(NOW - timedelta(seconds=3600)).timestamp()) is None


@pytest.mark.parametrize("iat", [None, "1", True, []])
def test_session_of_which_nobody_says_when_it_began_is_none(iat: object) -> None:
    assert login(iat=iat) is None


@pytest.mark.parametrize("email", [None, "", 1, ["fay@example.org"]])
def test_claim_that_is_no_name_lets_nobody_in(email: object) -> None:
    assert login(email=email) is None


def test_address_that_nobody_has_verified_is_refused() -> None:
    with pytest.raises(NotAllowed, match="has not made sure"):
        login(email_verified=False)


def test_other_claims_need_no_verified_address() -> None:
    settings = SETTINGS.model_copy(update={"oidc_claim": "sub"})
    told = {"aud": "room", "iat": NOW.timestamp(), "sub": "fay", "email_verified": False}
    assert claimed_login(told, settings, NOW) == "fay"
