"""Several workers: their sockets, their places, their numbers put together, and what they must share."""

import os
import socket
from pathlib import Path

import pytest
from mizzen_gateway.metering.places import claim
from mizzen_gateway.settings import SettingsError, read_settings
from mizzen_gateway.wire.inheritance import VARIABLE, Inheritance, inheritance, listeners
from mizzen_gateway.workers.metrics import Exposition
from support.gateway import gateway_environment

TEXT = """# HELP mizzen_gateway_requests_total Admitted requests
# TYPE mizzen_gateway_requests_total counter
mizzen_gateway_requests_total{{model="a b",status="200"}} {requests}
# HELP mizzen_gateway_first_byte_seconds Until the engine's first byte
# TYPE mizzen_gateway_first_byte_seconds histogram
mizzen_gateway_first_byte_seconds_bucket{{le="+Inf"}} {requests}
mizzen_gateway_first_byte_seconds_count {requests}
# HELP mizzen_gateway_in_flight Requests being answered
# TYPE mizzen_gateway_in_flight gauge
mizzen_gateway_in_flight{{deployment="chat"}} {in_flight}
# HELP mizzen_gateway_snapshot_age_seconds Since it was last confirmed
# TYPE mizzen_gateway_snapshot_age_seconds gauge
mizzen_gateway_snapshot_age_seconds {age}
# HELP mizzen_gateway_snapshot_version Version of the access snapshot
# TYPE mizzen_gateway_snapshot_version gauge
mizzen_gateway_snapshot_version {version}
"""


def of_worker(**numbers: float) -> str:
    return TEXT.format(**{"requests": 0.0, "in_flight": 0.0, "age": 0.0, "version": 1.0, **numbers})


def values(text: str) -> dict[str, float]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {key: float(value) for key, _, value in (line.rpartition(" ") for line in lines)}


def test_numbers_are_added_up_and_of_ages_the_worst_is_told() -> None:
    together = Exposition()
    together.add(of_worker(requests=2.0, in_flight=1.0, age=3.0, version=7.0))
    together.add(of_worker(requests=5.0, in_flight=2.0, age=1.0, version=6.0))
    found = values(together.text())
    assert found['mizzen_gateway_requests_total{model="a b",status="200"}'] == 7
    assert found['mizzen_gateway_first_byte_seconds_bucket{le="+Inf"}'] == 7
    assert found['mizzen_gateway_in_flight{deployment="chat"}'] == 3
    assert found["mizzen_gateway_snapshot_age_seconds"] == 3
    assert found["mizzen_gateway_snapshot_version"] == 6
    assert together.text().count("# TYPE mizzen_gateway_requests_total counter") == 1


def test_what_a_worker_counted_that_is_gone_stays_counted() -> None:
    gone = Exposition()
    gone.add(of_worker(requests=2.0, in_flight=4.0))
    together = Exposition()
    together.add(of_worker(requests=1.0))
    together.add_series(gone.counted)
    found = values(together.text())
    assert found['mizzen_gateway_requests_total{model="a b",status="200"}'] == 3
    assert found["mizzen_gateway_first_byte_seconds_count"] == 3
    assert found['mizzen_gateway_in_flight{deployment="chat"}'] == 0


def test_each_socket_of_a_port_has_a_queue_of_its_own() -> None:
    made = listeners("127.0.0.1", 0, 3)
    try:
        assert len({one.getsockname() for one in made}) == 1
        assert len({one.fileno() for one in made}) == 3
        with pytest.raises(OSError, match="in use"):
            listeners("127.0.0.1", made[0].getsockname()[1], 2)
    finally:
        for one in made:
            one.close()


def test_a_port_in_use_is_refused_before_a_worker_starts() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            listeners("127.0.0.1", taken.getsockname()[1], 2)


def test_each_process_has_a_place_of_its_own_and_leaves_it_to_the_next(tmp_path: Path) -> None:
    first, second = claim(tmp_path), claim(tmp_path)
    assert (first.number, second.number) == (0, 1)
    assert first.folder != second.folder
    os.close(first.lock)
    third = claim(tmp_path)
    assert third.number == 0
    os.close(second.lock)
    os.close(third.lock)


def test_what_a_supervisor_passes_on_is_read_as_it_was_written() -> None:
    passed = Inheritance(listener=5, control=7, supervisor=1234, waits=True)
    assert inheritance({VARIABLE: passed.encode()}) == passed
    assert inheritance({}) is None


def test_several_workers_need_limits_that_they_share(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"MIZZEN_WORKERS: 2 .* set MIZZEN_LIMITS_STORE"):
        read_settings(gateway_environment(tmp_path, MIZZEN_WORKERS="2"))
    assert read_settings(gateway_environment(tmp_path, MIZZEN_WORKERS="1")).workers == 1
