"""Keys: who gets in, and that all refusals look alike."""

from datetime import UTC, datetime, timedelta

import pytest
from mizzen_crds.api_keys import with_checksum
from mizzen_gateway.auth.api_key import split_key
from mizzen_gateway.auth.authenticator import INVALID_KEY, KeyAuthenticator
from mizzen_gateway.discovery.access_building import index_snapshot
from mizzen_gateway.discovery.access_index import AccessState
from mizzen_gateway.stages import Caller, Refusal
from support.access_snapshots import KEY, KEY_ID, PEPPER, PUBLIC, SECRET, a_key, a_snapshot, digest

NOW = 1_000_000.0


def authenticator(snapshot=None, confirmed_at=NOW, max_age=60.0) -> KeyAuthenticator:
    state = AccessState(max_age)
    if snapshot is not None:
        state.put(index_snapshot(snapshot), confirmed_at)
    return KeyAuthenticator(state, PEPPER, clock=lambda: NOW)


@pytest.mark.parametrize(
    "headers",
    [
        {b"authorization": b"Bearer " + KEY.encode()},
        {b"authorization": b"bearer " + KEY.encode()},
        {b"api-key": KEY.encode()},
        {b"x-api-key": KEY.encode()},
    ],
)
def test_a_good_key_is_known_in_each_header(headers):
    caller = authenticator(a_snapshot()).authenticate(headers)
    assert isinstance(caller, Caller)
    assert (caller.key_id, caller.project, caller.namespace) == (KEY_ID, "default", "default")


@pytest.mark.parametrize(
    "presented",
    [
        "",
        "mzk_",
        "sk-something-else",
        "ключ",
        KEY[:-1],
        KEY + "x",
        KEY + "00000000",
        with_checksum(KEY.encode()).decode().replace("S" * 3, "SsS", 1),
        with_checksum(KEY.encode()).decode().upper(),
        KEY.replace("mzk_", "mzt_"),
        f"mzk_{PUBLIC}_{'T' * 43}",
        f"mzk_{'z' * 20}_{SECRET}",
        f"mzk_{PUBLIC[:-1]}\N{LATIN SMALL LETTER E WITH ACUTE}_{SECRET}",
        f"mzk_{PUBLIC}-{SECRET}",
    ],
)
def test_malformed_unknown_and_wrong_keys_get_one_and_the_same_refusal(presented):
    refusal = authenticator(a_snapshot()).authenticate({b"authorization": b"Bearer " + presented.encode()})
    assert isinstance(refusal, Refusal)
    assert refusal == authenticator(a_snapshot()).authenticate({})
    assert (refusal.status, refusal.code) == (401, "invalid_api_key")
    assert KEY not in refusal.message


def test_a_key_is_known_with_its_checksum_and_one_of_the_first_release_without():
    for text in (with_checksum(KEY.encode()), KEY.encode()):
        assert isinstance(authenticator(a_snapshot()).authenticate({b"api-key": text}), Caller)


def test_a_mistyped_key_is_not_even_looked_up():
    good = with_checksum(KEY.encode())
    for place in range(4, len(good)):
        mistyped = good[:place] + (b"b" if good[place : place + 1] != b"b" else b"c") + good[place + 1 :]
        assert split_key(mistyped) is None
    assert split_key(good) == (KEY_ID, SECRET.encode())


def test_a_revoked_key_is_refused_with_the_next_snapshot():
    state = AccessState(60.0)
    keys = KeyAuthenticator(state, PEPPER, clock=lambda: NOW)
    state.put(index_snapshot(a_snapshot()), NOW)
    assert isinstance(keys.authenticate({b"api-key": KEY.encode()}), Caller)
    state.put(index_snapshot(a_snapshot(2, keys=[])), NOW)
    assert isinstance(keys.authenticate({b"api-key": KEY.encode()}), Refusal)


def test_the_secret_before_a_rotation_works_until_the_overlap_ends():
    other = f"mzk_{PUBLIC}_{'T' * 43}"
    for seconds, answer in ((1, Caller), (0, Refusal)):
        until = datetime.fromtimestamp(NOW + seconds, UTC)
        key = a_key(digest=digest("T" * 43), previous_digest=digest(), previous_expires_at=until)
        keys = authenticator(a_snapshot(keys=[key]))
        assert isinstance(keys.authenticate({b"api-key": KEY.encode()}), answer)
        assert isinstance(keys.authenticate({b"api-key": other.encode()}), Caller)


def test_a_key_is_refused_from_the_moment_it_expires():
    at = datetime.fromtimestamp(NOW, UTC)
    expired = authenticator(a_snapshot(keys=[a_key(expires_at=at)])).authenticate({b"api-key": KEY.encode()})
    alive = authenticator(a_snapshot(keys=[a_key(expires_at=at + timedelta(seconds=1))]))
    assert isinstance(expired, Refusal)
    assert isinstance(alive.authenticate({b"api-key": KEY.encode()}), Caller)


def test_an_allow_list_reaches_the_caller():
    caller = authenticator(a_snapshot(keys=[a_key(models=["a", "b"])])).authenticate({b"api-key": KEY.encode()})
    assert isinstance(caller, Caller)
    assert caller.models == {"a", "b"}


def test_without_a_snapshot_or_with_one_too_old_nothing_is_served():
    for keys in (authenticator(), authenticator(a_snapshot(), confirmed_at=NOW - 61)):
        refusal = keys.authenticate({b"api-key": KEY.encode()})
        assert isinstance(refusal, Refusal)
        assert (refusal.status, refusal.code) == (503, "quota_unavailable")
        assert not keys.ready


def test_the_digest_is_compared_whatever_is_wrong(monkeypatch):
    compared = []
    monkeypatch.setattr("hmac.compare_digest", lambda a, b: compared.append((len(a), len(b))) or a == b)
    keys = authenticator(a_snapshot())
    for presented in (KEY, "", "x", f"mzk_{'z' * 20}_{SECRET}", f"mzk_{PUBLIC}_{'T' * 43}"):
        keys.authenticate({b"api-key": presented.encode()})
    assert compared == [(32, 32)] * 10  # the present and the previous secret, for each


def test_a_refusal_names_each_header_that_a_key_may_come_in():
    for header in ("Authorization: Bearer", "`api-key`", "`x-api-key`"):
        assert header in INVALID_KEY.message
