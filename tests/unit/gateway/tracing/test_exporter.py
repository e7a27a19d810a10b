"""Spans leave in batches; what a collector does not take is counted, and never kept for ever."""

import asyncio

import pytest
import structlog
from mizzen_gateway.tracing import exporter
from mizzen_gateway.tracing.exporter import Destination, Exporter
from mizzen_gateway.tracing.span import Kind, Span
from support.free_ports import free_port
from support.span_collector import span_collector
from support.until import until

RESOURCE = {"service.name": "mizzen-gateway"}


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans are not gathered for long."""
    monkeypatch.setattr(exporter, "SEND_SECONDS", 0.01)


def a_span(number: int = 1) -> Span:
    return Span(1, number, 0, 1, "", f"span {number}", Kind.SERVER, 1, 2, {"n": number, "x": 0.5, "y": True})


def an_exporter(url: str) -> Exporter:
    return Exporter(Destination(url, {"authorization": "Bearer t"}), RESOURCE, "1.0")


async def test_all_spans_arrive_once_with_their_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporter, "BATCH_SPANS", 100)
    async with span_collector() as collector:
        sends = an_exporter(collector.url)
        for number in range(1, 251):
            sends.put(a_span(number))
        sends.start()
        spans = await collector.until(lambda spans: len(spans) == 250)
        await sends.close()
    assert [int(span.span_id, 16) for span in spans] == list(range(1, 251))
    assert spans[0].attributes == {"n": 1, "x": 0.5, "y": True}
    assert spans[0].resource == RESOURCE
    assert len(collector.headers) == 3
    assert collector.headers[0]["authorization"] == "Bearer t"
    assert (sends.sent, dict(sends.dropped)) == (250, {"rejected": 0})


async def test_what_waits_at_the_end_is_sent() -> None:
    async with span_collector() as collector:
        sends = an_exporter(collector.url)
        sends.start()
        await asyncio.sleep(0)
        sends.put(a_span())
        await sends.close()
        assert len(collector.spans) == 1


async def test_a_collector_that_is_busy_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporter, "FIRST_WAIT_SECONDS", 0.001)
    async with span_collector() as collector:
        collector.statuses = [503, 429]
        sends = an_exporter(collector.url)
        sends.put(a_span())
        sends.start()
        await until(lambda: sends.sent == 1)
        await sends.close()
        assert len(collector.headers) == 3


@pytest.mark.parametrize(("statuses", "reason"), [([400], "refused"), ([503] * 9, "unavailable"), ([302], "refused")])
async def test_what_is_not_taken_is_dropped_and_counted(
    monkeypatch: pytest.MonkeyPatch, statuses: list[int], reason: str
) -> None:
    monkeypatch.setattr(exporter, "FIRST_WAIT_SECONDS", 0.001)
    async with span_collector() as collector:
        collector.statuses = statuses
        sends = an_exporter(collector.url)
        sends.put(a_span())
        sends.start()
        await until(lambda: sends.dropped[reason] == 1)
        await sends.close()
        assert sends.sent == 0


async def test_spans_that_a_collector_rejects_are_not_counted_as_sent() -> None:
    async with span_collector() as collector:
        collector.reject = 1
        sends = an_exporter(collector.url)
        for number in (1, 2, 3):
            sends.put(a_span(number))
        sends.start()
        await until(lambda: sends.sent == 2)
        await sends.close()
        assert sends.dropped["rejected"] == 1


async def test_nobody_there_costs_no_memory_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporter, "MOST_WAITING", 10)
    sends = an_exporter(f"http://127.0.0.1:{free_port()}/v1/traces")
    for number in range(1, 31):
        sends.put(a_span(number))
    assert sends.dropped["queue_full"] == 20
    sends.start()
    with structlog.testing.capture_logs() as logged:
        await sends.close()
    assert sends.dropped["unreachable"] == 10
    assert "Cannot connect" in logged[-1]["collector"]
