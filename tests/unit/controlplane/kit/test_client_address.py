"""A caller's address is what a trusted proxy saw, never what the caller wrote."""

import ipaddress

import pytest
from mizzen_controlplane.kit.client_address import client_address
from mizzen_controlplane.kit.settings import SettingsError, settings_from

PROXIES = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::1/128"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["6.6.6.6, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["6.6.6.6", "198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["6.6.6.6, nonsense, 10.0.0.2"], "10.0.0.2"),
        ("::1", ["[2001:db8::7]:4711"], "2001:db8::7"),
        ("::1", ["198.51.100.1:80"], "198.51.100.1"),
        ("", ["198.51.100.1"], ""),
    ],
)
def test_the_address_is_the_nearest_one_that_is_no_trusted_proxys(
    peer: str, forwarded: list[str], address: str
) -> None:
    assert client_address(peer, forwarded, PROXIES) == address


def test_a_network_that_is_none_is_refused_by_the_name_of_its_variable() -> None:
    given = {"MIZZEN_DATA_DIR": "d", "MIZZEN_SECRETS_DIR": "s"}
    assert settings_from(given).trusted_proxies == ()
    assert len(settings_from({**given, "MIZZEN_TRUSTED_PROXIES": "10.0.0.0/8, ::1"}).trusted_proxies) == 2
    with pytest.raises(SettingsError, match="MIZZEN_TRUSTED_PROXIES"):
        settings_from({**given, "MIZZEN_TRUSTED_PROXIES": "10.0.0.1/8"})
