"""W3C Trace Context as callers send it, and what share of requests is recorded."""

import random

import pytest
from mizzen_gateway.stages import Intent
from mizzen_gateway.trace_context import Recorded, RecordedLeg, Sampler, Unrecorded, parent_in
from support.records import an_intent

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GIVEN = f"00-{TRACE}-{SPAN}-01".encode()
INTENT: Intent = an_intent("req_1")


def recorded(headers: dict[bytes, bytes], share: float = 0.0) -> Recorded:
    found = Sampler(share).context_of(headers, 10.0)
    assert isinstance(found, Recorded)
    return found


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-0",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"01-{TRACE}-{SPAN}-01more",
        f"00-{TRACE[:-1]}_-{SPAN}-01",
        f"00-{TRACE[:-1]} -{SPAN}-01",
        f"00-{TRACE[:-1]}--{SPAN}-01",
        f"00_{TRACE}_{SPAN}_01",
        f"00-{TRACE}-{SPAN}-01, 00-{TRACE}-{SPAN}-01",
    ],
)
def test_a_header_that_is_not_valid_is_none(header: str) -> None:
    assert parent_in(header.encode()) is None


@pytest.mark.parametrize("header", [GIVEN, b"01" + GIVEN[2:], b"cc" + GIVEN[2:] + b"-what-comes-later"])
def test_later_versions_are_read_as_far_as_they_are_known(header: bytes) -> None:
    found = parent_in(header)
    assert found is not None
    assert (f"{found.trace_id:032x}", f"{found.span_id:016x}", found.flags) == (TRACE, SPAN, 1)


def test_no_header_breaks_the_reading() -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    draw = random.Random(seed)
    for _ in range(2000):
        broken = bytearray(GIVEN)
        for _ in range(draw.randrange(1, 4)):
            broken[draw.randrange(len(broken))] = draw.randrange(256)
        found = parent_in(bytes(broken[: draw.choice((None, 30, 54, 55))]))
        assert found is None or (found.trace_id < 1 << 128 and found.span_id < 1 << 64)


def test_a_caller_that_records_is_followed_and_is_the_parent() -> None:
    found = recorded({b"traceparent": GIVEN, b"tracestate": b"vendor=1"})
    assert (f"{found.trace_id:032x}", f"{found.parent_id:016x}", found.state) == (TRACE, SPAN, "vendor=1")
    assert found.span_id not in {0, found.parent_id}


def test_a_caller_that_does_not_record_is_followed_too() -> None:
    given = GIVEN[:-1] + b"0"
    found = Sampler(1.0).context_of({b"traceparent": given, b"tracestate": b"vendor=1"}, 0.0)
    assert isinstance(found, Unrecorded)
    assert found.onward() == (("traceparent", given.decode()), ("tracestate", "vendor=1"))


def test_a_state_without_a_valid_parent_or_of_boundless_length_goes_no_further() -> None:
    assert recorded({b"traceparent": b"nonsense", b"tracestate": b"vendor=1"}, 1.0).state == ""
    assert recorded({b"traceparent": GIVEN, b"tracestate": b"a=" + b"x" * 511}).state == ""


def test_each_engine_asked_has_a_span_of_its_own_as_its_parent() -> None:
    request = recorded({b"traceparent": GIVEN, b"tracestate": b"vendor=1"})
    leg = request.leg(INTENT)
    assert isinstance(leg, RecordedLeg)
    first = leg.onward()
    assert leg.onward() == first, "a picker and the engine it picks hear the same"
    leg.asked(1.0, 2.0, "127.0.0.1", 80)
    second = leg.onward()
    leg.asked(2.0, 3.0, "127.0.0.1", 81)
    assert [headers[0][1] for headers in (first, second)] == [f"00-{TRACE}-{one.span_id:016x}-01" for one in leg.tries]
    assert first[0] != second[0]
    assert first[1] == ("tracestate", "vendor=1")


def test_a_share_of_what_begins_here_is_recorded_and_the_rest_tells_engines_so() -> None:
    for share, least, most in ((0.0, 0, 0), (0.25, 800, 1200), (1.0, 4000, 4000)):
        found = [Sampler(share).context_of({}, 0.0) for _ in range(4000)]
        assert least <= sum(isinstance(one, Recorded) for one in found) <= most
        for one in found:
            if isinstance(one, Unrecorded):
                [(name, value)] = one.onward()
                assert name == "traceparent"
                assert value.endswith("-00")
                assert parent_in(value.encode()) is not None


def test_times_of_the_loop_become_times_of_day() -> None:
    request = recorded({b"traceparent": GIVEN})
    assert request.at(10.5) == request.started_ns + 500_000_000
