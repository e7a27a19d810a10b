"""From where does a call come? What a caller writes of itself is never believed."""

import pytest
from mizzen_gateway.auth.client_address import Origins, address_in, address_of_grpc, is_in, networks_of
from mizzen_gateway.discovery.access_building import index_snapshot
from mizzen_gateway.settings import SettingsError, _trusted_proxies
from mizzen_gateway.stages import Refusal
from support.access_snapshots import KEY_ID, a_key, a_snapshot

PROXIES = networks_of(["10.0.0.0/8", "2001:db8:1::/48"])


def seen(peer: str, forwarded: str | None = None) -> str:
    headers = {} if forwarded is None else {b"x-forwarded-for": forwarded.encode()}
    found = Origins(PROXIES).address_of(peer, headers)
    return "nobody can tell" if found is None else ".".join(str(part) for part in found[1].to_bytes(found[0] // 8))


@pytest.mark.parametrize(
    ("peer", "forwarded", "who"),
    [
        ("192.0.2.7", None, "192.0.2.7"),
        ("192.0.2.7", "198.51.100.1", "192.0.2.7"),
        ("10.1.2.3", "198.51.100.1", "198.51.100.1"),
        ("10.1.2.3", "203.0.113.9, 198.51.100.1, 10.9.9.9", "198.51.100.1"),
        ("10.1.2.3", "198.51.100.1:4711", "198.51.100.1"),
        ("10.1.2.3", "::ffff:198.51.100.1", "198.51.100.1"),
        ("::ffff:10.1.2.3", "198.51.100.1", "198.51.100.1"),
        ("10.1.2.3", "10.4.4.4, 10.5.5.5", "10.4.4.4"),
        ("10.1.2.3", None, "10.1.2.3"),
        ("10.1.2.3", " , ", "10.1.2.3"),
        ("10.1.2.3", "198.51.100.1, unknown", "nobody can tell"),
        ("", None, "nobody can tell"),
        ("2001:db8:1::5", '"[2001:db8:2::1]:443"', address := "32.1.13.184.0.2.0.0.0.0.0.0.0.0.0.1"),
        ("2001:db8:2::1", "192.0.2.1", address),
    ],
)
def test_the_caller_is_the_rightmost_hop_that_is_no_trusted_proxy(peer: str, forwarded: str | None, who: str) -> None:
    assert seen(peer, forwarded) == who


@pytest.mark.parametrize(
    ("address", "ranges", "inside"),
    [
        ("192.0.2.7", ["192.0.2.0/24"], True),
        ("192.0.3.7", ["192.0.2.0/24"], False),
        ("192.0.3.7", ["192.0.2.0/24", "192.0.3.7"], True),
        ("::ffff:192.0.2.7", ["192.0.2.0/24"], True),
        ("2001:db8::1", ["2001:db8::/32"], True),
        ("2001:db9::1", ["2001:db8::/32"], False),
        ("0.0.0.1", ["::/0"], False),
    ],
)
def test_an_address_is_in_the_networks_of_its_own_kind_alone(address: str, ranges: list[str], inside: bool) -> None:
    found = address_in(address)
    assert found is not None
    assert is_in(found, networks_of(ranges)) is inside


def test_a_key_is_refused_from_elsewhere_with_the_address_that_was_seen() -> None:
    caller = index_snapshot(a_snapshot(keys=[], further_keys=[a_key(ip_ranges=["192.0.2.0/24"])])).keys[KEY_ID].caller
    assert Origins().refusal(caller, "192.0.2.200", {}) is None
    refused = Origins().refusal(caller, "198.51.100.1", {b"x-forwarded-for": b"192.0.2.200"})
    assert isinstance(refused, Refusal)
    assert (refused.status, refused.code) == (403, "address_not_allowed")
    assert "198.51.100.1" in refused.message
    assert Origins().refusal(caller, "", {}) is not None


def test_the_address_of_a_call_of_grpc_is_read_from_its_peer() -> None:
    for peer, who in (("ipv4:192.0.2.7:4711", (32, 0xC0000207)), ("ipv6:%5B::1%5D:4711", (128, 1)), ("unix:/x", None)):
        assert address_in(address_of_grpc(peer)) == who


def test_networks_of_proxies_that_are_none_stop_the_start_with_the_name_of_the_setting() -> None:
    assert _trusted_proxies({"MIZZEN_TRUSTED_PROXIES": "10.0.0.0/8, 2001:db8:1::/48"}) == PROXIES
    with pytest.raises(SettingsError, match=r"MIZZEN_TRUSTED_PROXIES: .*10\.0\.0\.1/8"):
        _trusted_proxies({"MIZZEN_TRUSTED_PROXIES": "10.0.0.1/8"})
