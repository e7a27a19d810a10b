"""Which networks may be listed as private stores, and which hold a machine itself or a cloud's credentials?"""

from ipaddress import ip_network

import pytest
from mizzen_operator.private_stores import private_stores


@pytest.mark.parametrize(
    ("cidr", "held"),
    [
        ("168.63.129.16/32", "168.63.129.16/32"),
        ("168.63.128.0/20", "168.63.129.16/32"),
        ("100.100.100.200/32", "100.100.100.200/32"),
        ("100.64.0.0/10", "100.100.100.200/32"),
        ("fd00:ec2::/32", "fd00:ec2::254/128"),
        ("::ffff:169.254.0.0/112", "::ffff:a9fe:0/112"),
        ("::ffff:127.0.0.1/128", "::ffff:7f00:0/104"),
        ("::ffff:100.100.100.200/128", "::ffff:6464:64c8/128"),
        ("64:ff9b::/96", "64:ff9b::7f00:0/104"),
    ],
)
def test_a_network_that_holds_what_nothing_is_fetched_from_is_refused_by_its_name(cidr: str, held: str) -> None:
    with pytest.raises(ValueError, match="List smaller networks") as refused:
        private_stores(f'[{{"cidr": "{cidr}", "ports": [80]}}]')
    # Python 3.13 writes the address within an IPv4-mapped one with dots, older ones do not.
    shown = f"{cidr} holds addresses of {ip_network(held)},"
    assert shown in str(refused.value)


@pytest.mark.parametrize(
    "cidr", ["100.100.101.0/24", "100.64.0.0/11", "168.63.129.17/32", "fd00:ec3::/32", "10.0.0.0/8", "198.18.0.0/15"]
)
def test_a_network_beside_it_is_taken(cidr: str) -> None:
    (store,) = private_stores(f'[{{"cidr": "{cidr}", "ports": [9000]}}]')
    assert store.cidr == cidr
