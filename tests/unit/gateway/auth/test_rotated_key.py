"""A rotated key: for the overlap both of its secrets open the door, then the new one alone."""

from datetime import UTC, datetime, timedelta

from mizzen_crds.access import AccessSnapshot
from mizzen_gateway.auth.authenticator import KeyAuthenticator
from mizzen_gateway.discovery.access_building import index_snapshot
from mizzen_gateway.discovery.access_index import AccessState
from mizzen_gateway.stages import Caller, Refusal
from support.access_snapshots import KEY, PEPPER, a_key, a_snapshot

NOW = 1_000_000.0


def rotated(overlap_ends_in: float) -> AccessSnapshot:
    old = a_key()
    key = old.model_copy(
        update={
            "digest": "ab" * 32,
            "previous_digest": old.digest,
            "previous_expires_at": datetime.fromtimestamp(NOW, UTC) + timedelta(seconds=overlap_ends_in),
        }
    )
    return a_snapshot().model_copy(update={"keys": [key]})


def asked_with_the_old_secret(snapshot: AccessSnapshot) -> Caller | Refusal:
    state = AccessState(60.0)
    state.put(index_snapshot(snapshot), NOW)
    return KeyAuthenticator(state, PEPPER, clock=lambda: NOW).authenticate({b"authorization": f"Bearer {KEY}".encode()})


def test_the_old_secret_works_during_the_overlap() -> None:
    assert isinstance(asked_with_the_old_secret(rotated(overlap_ends_in=5)), Caller)


def test_the_old_secret_is_refused_after_the_overlap() -> None:
    assert isinstance(asked_with_the_old_secret(rotated(overlap_ends_in=0)), Refusal)
