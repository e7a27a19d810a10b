"""Ports that are in use: named with their holder and the option, or moved out of the way."""

import os
import socket

import pytest
from mizzen_cli.local.address import claim_address
from mizzen_cli.local.ports import PortInUseError, Ports, choose_ports, free_port


def test_a_port_in_use_is_named_with_its_holder_and_the_option() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        ports = Ports(free_port({port}), port, free_port({port}), free_port({port}))
        with pytest.raises(PortInUseError) as refused:
            choose_ports(ports, lambda _: False)
    assert f"port {port}" in str(refused.value)
    assert f"pid {os.getpid()}" in str(refused.value)
    assert "--gateway-port" in str(refused.value)


def test_an_internal_port_in_use_is_moved_and_an_own_one_is_kept() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        taken: set[int] = {port}
        wanted = Ports(free_port(taken), free_port(taken), port, free_port(taken))
        moved = choose_ports(wanted, lambda _: False)
        assert moved.gateway_admin != port
        assert choose_ports(wanted, lambda name: name == "gateway_admin") == wanted


def test_an_address_is_never_given_twice_and_comes_back_when_it_is_released() -> None:
    first = claim_address("seed")
    second = claim_address("seed")
    assert first.address != second.address
    first.release()
    again = claim_address("seed")
    assert again.address == first.address
    second.release()
    again.release()
