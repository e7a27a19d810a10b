"""What other gateways ask of a Triton, from what it has spent on the requests of all."""

import orjson
import pytest
from mizzen_gateway.load.company import Company, Tally, spent_on_requests


def told(company: Company, *tallies: tuple[float, float, float, float, float]) -> float:
    """What it says after the last one."""
    return [company.note(Tally(*one)) for one in tallies][-1]


def test_the_first_reading_says_nothing_of_others() -> None:
    assert told(Company(), (100.0, 5000.0, 10_000, 3.0, 10)) == 0.0


def test_requests_of_others_are_what_is_left_of_all_beside_ones_own() -> None:
    assert told(Company(), (0.0, 0.0, 0, 0.0, 0), (10.0, 40.0, 400, 10.0, 100)) == pytest.approx(3.0)


def test_a_replica_that_one_gateway_uses_alone_is_its_own() -> None:
    # It sees requests for longer than the engine does, never for less than nothing of others.
    assert told(Company(), (0.0, 0.0, 0, 0.0, 0), (10.0, 10.0, 100, 12.0, 100)) == 0.0


def test_what_a_gateway_sees_longer_than_the_engine_is_counted_for_others_too() -> None:
    # Each of two gateways has 100 requests of 0.1 s at the engine, which it sees for 0.12 s.
    assert told(Company(), (0.0, 0.0, 0, 0.0, 0), (10.0, 20.0, 200, 12.0, 100)) == pytest.approx(1.2)


def test_others_that_send_long_requests_are_counted_by_their_time() -> None:
    assert told(Company(), (0.0, 0.0, 0, 0.0, 0), (10.0, 41.0, 110, 1.0, 100)) == pytest.approx(4.0)


def test_who_asks_nothing_sees_all_as_others_and_they_fade_when_they_have_gone() -> None:
    company = Company()
    readings = [(float(10 * number), float(20 * number), 10.0 * number, 0.0, 0.0) for number in range(5)]
    assert told(company, *readings) == pytest.approx(2.0)
    quiet = [(float(40 + 10 * number), 80.0, 40.0, 0.0, 0.0) for number in range(1, 21)]
    assert told(company, *quiet) < 0.01


def test_a_server_that_has_started_anew_is_read_anew() -> None:
    assert told(Company(), (0.0, 0.0, 0, 0.0, 0), (10.0, 900.0, 900, 0.0, 0), (20.0, 1.0, 5, 0.0, 0)) == 0.0


def test_time_and_requests_of_all_versions_are_added_up() -> None:
    def version(count: int, ns: int, failed: int) -> dict[str, object]:
        return {
            "inference_stats": {"success": {"count": count, "ns": ns}, "fail": {"count": failed, "ns": 1_000_000_000}}
        }

    page = orjson.dumps({"model_stats": [version(3, 2_000_000_000, 1), version(4, 500_000_000, 0)]})
    assert spent_on_requests(page) == (4.5, 8.0)


@pytest.mark.parametrize("page", [b"", b"[]", b"{}", b'{"model_stats": [{}]}', b'{"model_stats": 3}', b"<html>"])
def test_another_answer_is_none(page: bytes) -> None:
    assert spent_on_requests(page) is None
