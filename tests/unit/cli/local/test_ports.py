"""Ports that are in use: named with their holder and the option, or moved out of the way."""

import os
import socket
from pathlib import Path

import pytest
from mizzen_cli.local.address import claim_address
from mizzen_cli.local.data_folder import DataFolder
from mizzen_cli.local.lifecycle import UpOptions, wanted_ports
from mizzen_cli.local.ports import PortInUseError, Ports, choose_ports, free_port
from mizzen_cli.local.programs import programs


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


def test_ports_of_an_installation_that_knew_no_grpc_stay_and_no_port_for_it_is_none_to_look_for() -> None:
    known = {"controlplane": 1, "gateway": 2, "gateway_admin": 3, "runner": 4}
    found = Ports.from_json(known)
    assert found == Ports(1, 2, 3, 4, 0)
    assert choose_ports(found, lambda name: name != "grpc") == found
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        with pytest.raises(PortInUseError, match="--grpc-port"):
            choose_ports(Ports(1, 2, 3, 4, holder.getsockname()[1]), lambda name: name != "grpc")


@pytest.mark.parametrize(("last", "asked", "then"), [(0, None, 0), (0, 7, 7), (7, None, 7), (7, 0, 0)])
def test_the_port_for_grpc_is_that_of_last_time_until_another_or_none_is_asked_for(
    last: int, asked: int | None, then: int, tmp_path: Path
) -> None:
    ports = wanted_ports(Ports(grpc=last), UpOptions(tmp_path, grpc_port=asked))
    assert ports == Ports(grpc=then)
    (gateway,) = [one for one in programs(DataFolder(tmp_path, "x"), ports) if one.name == "gateway"]
    assert gateway.environment.get("MIZZEN_GRPC_PORT") == (str(then) if then else None)
