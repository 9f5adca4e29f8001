"""Links in messages: where they lead, and what they do not."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from itsdangerous import URLSafeSerializer
from pydantic import SecretStr, ValidationError
from sqlalchemy import func, select

from penstock.checkpoints import Store, gates
from penstock.checkpoints.schema import gate_votes, used_links
from penstock.contracts.errors import InvalidLink, UnknownGate
from penstock.contracts.gate import Gate
from penstock.contracts.ids import GateId
from penstock.runs.links import GateLinks
from penstock.runs.settings import Settings
from support.approvals import open_approval, reject
from support.runs import Runs

SECRET = SecretStr("a secret of at least thirty-two characters")
PAGE = "https://penstock.example/room"
LATER = datetime(2100, 1, 1, tzinfo=UTC)
LINKS = GateLinks(SECRET, ui_url=f"{PAGE}/")


def token_to(gate_id: GateId, *, links: GateLinks = LINKS, until: datetime = LATER) -> str:
    url = links.sign(gate_id, group="finance", until=until)
    page, token = url.split("/?link=")
    assert page == PAGE
    return token


def follow(store: Store, token: str, *, person: str = "eve") -> GateId:
    return store.write_blocking(lambda connection: LINKS.follow(connection, token, person=person))


def used_count(store: Store) -> int:
    count = select(func.count()).select_from(used_links)
    return store.read_blocking(lambda connection: connection.execute(count).scalar_one())


@pytest.fixture
def gate(store: Store, runs: Runs) -> Gate:
    return open_approval(store, runs.start("one"))


def test_a_link_leads_to_its_gate_and_decides_nothing(store: Store, gate: Gate) -> None:
    assert follow(store, token_to(gate.id)) == gate.id
    vote_count = select(func.count()).select_from(gate_votes)
    assert store.read_blocking(lambda tx: tx.execute(vote_count).scalar_one()) == 0
    assert store.read_blocking(lambda tx: gates.get(tx, gate.id)) == gate


def test_who_may_not_vote_is_led_there_all_the_same(store: Store, gate: Gate) -> None:
    assert follow(store, token_to(gate.id), person=gate.requester or "") == gate.id


def test_a_link_leads_to_a_gate_that_was_closed(store: Store, gate: Gate) -> None:
    reject(store, gate)
    assert follow(store, token_to(gate.id)) == gate.id


def test_a_link_leads_one_person_there_however_often(store: Store, gate: Gate) -> None:
    token = token_to(gate.id)
    assert follow(store, token) == follow(store, token) == gate.id
    assert used_count(store) == 1
    with pytest.raises(InvalidLink, match="somebody else"):
        follow(store, token, person="mallory")


def test_two_links_to_one_gate_are_used_up_apart(store: Store, gate: Gate) -> None:
    first, second = token_to(gate.id), token_to(gate.id)
    assert first != second
    assert follow(store, first) == follow(store, second, person="mallory") == gate.id


def test_a_link_is_not_used_up_by_a_transaction_that_fails(store: Store, gate: Gate) -> None:
    token = token_to(gate.id)
    with pytest.raises(ZeroDivisionError):
        store.write_blocking(lambda tx: [LINKS.follow(tx, token, person="eve"), 1 / 0])
    assert follow(store, token, person="mallory") == gate.id


@dataclass(frozen=True, slots=True)
class Refusal:
    what: str
    token: Callable[[GateId], str]


def _signed(payload: object, *, salt: str = "penstock.gate-link.v1") -> str:
    signer = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    key = SECRET.get_secret_value()
    return URLSafeSerializer(key, salt=salt, signer_kwargs=signer).dumps(payload)


def _payload(gate_id: GateId, **changed: object) -> dict[str, object]:
    until = int(LATER.timestamp())
    return {"gate": gate_id, "group": "finance", "nonce": "n", "until": until, **changed}


def _other_gate(gate_id: GateId) -> str:
    mine, other = token_to(gate_id), token_to(GateId("f" * 32))
    return f"{other.rsplit('.', 1)[0]}.{mine.rsplit('.', 1)[1]}"


FOREIGN = GateLinks(SecretStr("another secret, which is as long as it has to be"), ui_url=PAGE)
PAST = datetime(2026, 1, 1, tzinfo=UTC)

REFUSALS = [
    Refusal("nothing", lambda _: ""),
    Refusal("the id of a gate", str),
    Refusal("not signed", lambda gate_id: token_to(gate_id).rsplit(".", 1)[0]),
    Refusal("an empty signature", lambda gate_id: token_to(gate_id).rsplit(".", 1)[0] + "."),
    Refusal("another's signature", _other_gate),
    Refusal("one letter missing", lambda gate_id: token_to(gate_id)[:-1]),
    Refusal("one letter more", lambda gate_id: "x" + token_to(gate_id)),
    Refusal("a foreign secret", lambda gate_id: token_to(gate_id, links=FOREIGN)),
    Refusal("signed for something else", lambda g: _signed(_payload(g), salt="session")),
    Refusal("no pointer", lambda gate_id: _signed([gate_id])),
    Refusal("no end", lambda gate_id: _signed(_payload(gate_id, until=None))),
    Refusal("an end in words", lambda gate_id: _signed(_payload(gate_id, until="4102444800"))),
    Refusal("more than a pointer", lambda gate_id: _signed(_payload(gate_id, vote="approve"))),
    Refusal("no text", lambda _: "\udcff\N{SNOWMAN}"),
    Refusal("far too long", lambda gate_id: token_to(gate_id) + "A" * 5000),
    Refusal("too old", lambda gate_id: token_to(gate_id, until=PAST)),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.what.replace(" ", "_"))
def test_a_link_is_refused_that_is(store: Store, gate: Gate, refusal: Refusal) -> None:
    token = refusal.token(gate.id)
    with pytest.raises(InvalidLink) as refused:
        follow(store, token)
    assert refused.value.code == "invalid_link"
    assert gate.id not in str(refused.value)
    assert used_count(store) == 0


def test_a_pointer_that_the_table_of_refusals_rests_on_is_good(store: Store, gate: Gate) -> None:
    assert follow(store, _signed(_payload(gate.id))) == gate.id


def test_a_link_to_a_gate_of_another_store_leads_nowhere(store: Store) -> None:
    with pytest.raises(UnknownGate):
        follow(store, token_to(GateId("f" * 32)))
    assert used_count(store) == 0


def test_a_link_is_good_up_to_its_last_moment_by_the_databases_clock(
    store: Store, gate: Gate
) -> None:
    assert gate.expires_at is not None
    opened_at = gate.expires_at - timedelta(hours=4)
    assert follow(store, token_to(gate.id, until=opened_at + timedelta(minutes=1))) == gate.id
    with pytest.raises(InvalidLink, match="was good until"):
        follow(store, token_to(gate.id, until=opened_at - timedelta(seconds=1)))


def test_a_short_secret_signs_nothing() -> None:
    with pytest.raises(ValueError, match="5 characters cannot sign"):
        GateLinks(SecretStr("short"), ui_url=PAGE)


def test_without_a_page_or_a_secret_there_are_no_links() -> None:
    assert Settings(link_secret=SECRET, ui_url=PAGE).links() is not None
    assert Settings(link_secret=SECRET).links() is None
    assert Settings(ui_url=PAGE).links() is None


def test_a_secret_is_not_shown_by_the_settings_and_a_short_one_is_refused() -> None:
    assert "thirty-two" not in repr(Settings(link_secret=SECRET))
    with pytest.raises(ValidationError, match="at least 32"):
        Settings(link_secret=SecretStr("short"))
    with pytest.raises(ValidationError, match="ui_url"):
        Settings(ui_url="javascript:alert(1)")
