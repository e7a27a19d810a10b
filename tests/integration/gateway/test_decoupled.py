"""Models that answer several times, behind the gateway: what happens when engines, callers or the gateway itself fail.

What a real Triton shows of itself stands in `tests/contract/test_decoupled_triton.py`; here the engine follows what
Triton publishes, since it must fail on command.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
import trustme
from mizzen_crds.access import AccessSnapshot, BudgetUnit, Hardness
from mizzen_gateway.protocols.open_inference.grpc.outbox import FULL_BYTES
from support.access_snapshots import a_budget
from support.alone import a_file, a_key, alone
from support.free_ports import free_port
from support.gateway import RunningGateway, endpoint_set, make_key, make_snapshot, model_deployment, running_gateway
from support.scripted_engine import Exchange
from support.shared_ledger import SharedLedger, ledger_over_http
from support.span_collector import span_collector
from support.streaming_engine import (
    METHOD,
    Context,
    StreamingEngine,
    Streams,
    decoupled,
    number_of,
    response,
    streaming_engine,
)
from support.until import until
from tritonclient.grpc import service_pb2 as pb

KEY = make_key()
METADATA = (("authorization", KEY.headers["Authorization"]),)


def message(name: str = "", model: str = "m") -> bytes:
    made = pb.ModelInferRequest(model_name=model, id=name, raw_input_contents=[b"\x00" * 8])
    made.inputs.add(name="x", datatype="FP32", shape=[1, 2])
    raw: bytes = made.SerializeToString()
    return raw


def answers(count: int) -> Streams:
    async def stream(request: Any, context: Context) -> None:
        assert request.model_name == "inner"
        for number in range(count):
            await context.write(response(number, id=request.id))

    return stream


def endpoints(*engines: StreamingEngine, name: str = "m", **more: Any) -> dict[str, Any]:
    found = endpoint_set(
        name, *(one.address for one in engines), protocol="OpenInference", engine="Triton", model_name="inner", **more
    )
    for endpoint, one in zip(found["spec"]["endpoints"], engines, strict=True):
        endpoint.setdefault("grpcPort", one.grpc_port)
    return found


@asynccontextmanager
async def served(
    folder: Path,
    *streams: Streams,
    spec: dict[str, Any] | None = None,
    snapshot: AccessSnapshot | None = None,
    **environment: str,
) -> AsyncIterator[tuple[RunningGateway, "Stream", list[StreamingEngine]]]:
    async with AsyncExitStack() as stack:
        engines = [await stack.enter_async_context(streaming_engine(one)) for one in streams]
        objects = [model_deployment("m", **(spec or {})), endpoints(*engines)]
        running = await stack.enter_async_context(
            running_gateway(folder, snapshot or make_snapshot([KEY]), *objects, MIZZEN_GRPC_PORT="0", **environment)
        )
        place = f"127.0.0.1:{running.gateway.grpc_port}"
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(place))
        yield running, Stream(channel), engines


class Stream:
    """What a caller makes of a channel."""

    def __init__(self, channel: grpc.aio.Channel, metadata: tuple[tuple[str, str], ...] = METADATA) -> None:
        self._method: Any = channel.unary_stream(METHOD)
        self._metadata = metadata

    def open(self, asked: bytes | None = None) -> Any:
        """A request that is under way."""
        return self._method(asked or message(), metadata=self._metadata)

    async def all(self, asked: bytes | None = None) -> list[Any]:
        """All that it is answered with."""
        return [pb.ModelStreamInferResponse.FromString(one) async for one in self.open(asked)]


async def fails_at_once(_request: Any, context: Context) -> None:
    await context.abort(grpc.StatusCode.UNAVAILABLE, "SECRET: gone")


async def fails_after_one(_request: Any, context: Context) -> None:
    await context.write(response(0))
    await context.abort(grpc.StatusCode.UNAVAILABLE, "SECRET: gone")


async def has_no_room(request: Any, context: Context) -> None:
    said = pb.ModelStreamInferResponse(error_message="[request id: x] Exceeds maximum queue size of 1")
    said.infer_response.id = request.id
    await context.write(said.SerializeToString())


async def never_ends(_request: Any, context: Context) -> None:
    await context.write(response(0))
    await asyncio.Event().wait()


@pytest.mark.parametrize("failing", [fails_at_once, has_no_room])
async def test_another_engine_is_asked_while_nothing_was_answered(tmp_path: Path, failing: Streams) -> None:
    async with served(tmp_path, failing, answers(3)) as (running, stream, engines):
        for _ in range(4):
            assert [number_of(one) for one in await stream.all()] == [0, 1, 2]
        rows = running.rows()
        assert engines[0].asked >= 1
        assert (len(rows), {row["status"] for row in rows}) == (4, {200})
        tried = [[one["outcome"] for one in row["attempts"]] for row in rows]
        assert sorted(map(len, tried))[-1] == 2
        assert all(one[-1] == "ok" for one in tried)


async def test_after_the_first_answer_no_other_engine_is_asked_and_the_caller_is_told(tmp_path: Path) -> None:
    async with served(tmp_path, fails_after_one, fails_after_one) as (running, stream, engines):
        first, last = await stream.all(message("a"))
        assert (number_of(first), bool(first.error_message)) == (0, False)
        assert (last.infer_response.id, "SECRET" in last.error_message) == ("a", False)
        assert "Model 'm' failed" in last.error_message
        (row,) = running.rows()
    assert sum(one.asked for one in engines) == 1
    assert (row["status"], row["answered"], len(row["attempts"])) == (200, True, 1)


async def test_an_engine_that_cannot_be_reached_is_passed_over_and_rests(tmp_path: Path) -> None:
    async with served(tmp_path, answers(1), answers(1)) as (running, stream, engines):
        await engines[0].server.stop(0)
        for _ in range(4):
            assert len(await stream.all()) == 1
        target = running.gateway.table.target(("default", "m"))
        assert {one.facts.port for one in target.endpoints() if one.ejected_until} == {engines[0].address[1]}
        assert [row["status"] for row in running.rows()] == [200] * 4


async def test_an_engine_without_a_port_for_grpc_is_named(tmp_path: Path) -> None:
    async with served(tmp_path, answers(1)) as (running, stream, engines):
        running.put(endpoints(engines[0], grpcPort=None))
        (told,) = await stream.all()
        assert "port named grpc" in told.error_message
        assert running.rows() == []


async def test_in_the_middle_of_a_rollout_those_with_a_port_for_grpc_are_asked(tmp_path: Path) -> None:
    async with served(tmp_path, answers(1), answers(1)) as (running, stream, engines):
        known = endpoints(*engines)
        known["spec"]["endpoints"][0]["grpcPort"] = None
        running.put(known)
        for _ in range(4):
            assert [number_of(one) for one in await stream.all()] == [0]
        assert (engines[0].asked, engines[1].asked) == (0, 4)
        assert not any(one.ejected_until for one in running.gateway.table.target(("default", "m")).endpoints())


async def test_a_request_that_waited_for_its_first_replica_has_all_of_its_answers(tmp_path: Path) -> None:
    async with served(tmp_path, answers(3)) as (running, stream, engines):
        running.put(endpoints())
        asking = asyncio.create_task(stream.all())
        target = running.gateway.table.target(("default", "m"))
        await until(lambda: target.parked == 1, 10)
        running.put(endpoints(*engines))
        assert [number_of(one) for one in await asking] == [0, 1, 2]


async def test_a_connection_ends_with_its_last_call_once_the_engine_goes(tmp_path: Path) -> None:
    more = asyncio.Event()

    async def waits(_request: Any, context: Context) -> None:
        await context.write(response(0))
        await more.wait()
        await context.write(response(1))

    async with served(tmp_path, waits) as (running, stream, engines):
        call = stream.open()
        await call.read()
        pool: Any = running.gateway.pool
        (line,) = pool._grpc._lines.values()
        running.put(endpoints(engines[0], terminating=True))
        assert (pool._grpc._lines, line.left, line.calls) == ({}, True, 1)
        more.set()
        assert number_of(pb.ModelStreamInferResponse.FromString(await call.read())) == 1
        assert await call.read() is grpc.aio.EOF
        await until(lambda: line.channel.get_state() is grpc.ChannelConnectivity.SHUTDOWN, 10)


async def test_a_caller_that_does_not_read_holds_the_engine_back_and_is_given_up_in_the_end(tmp_path: Path) -> None:
    numbers = itertools.count()

    async def writes_on(_request: Any, context: Context) -> None:
        while True:
            await context.write(response(next(numbers), size=4096))

    async with served(tmp_path, writes_on, MIZZEN_WRITE_TIMEOUT_SECONDS="1") as (running, stream, engines):
        call = stream.open()
        await until(lambda: engines[0].asked == 1, 10)
        pool: Any = running.gateway.pool
        (under_way,) = pool._busy
        outbox = under_way.listener.responder._outbox
        await until(lambda: under_way._full is not None, 10)
        assert FULL_BYTES < outbox._bytes < FULL_BYTES + 2 * 4 * 4096
        await until(lambda: engines[0].ended == 1, 20)
        await until(lambda: len(running.rows()) == 1, 10)
        with pytest.raises(grpc.aio.AioRpcError, match="taken for too long"):
            [one async for one in call]


async def test_a_caller_that_begins_to_read_late_gets_every_answer_in_order(tmp_path: Path) -> None:
    enough, numbers = asyncio.Event(), itertools.count()

    async def writes_on(_request: Any, context: Context) -> None:
        while not enough.is_set():
            await context.write(response(next(numbers), size=4096))

    async with served(tmp_path, writes_on) as (running, stream, engines):
        call = stream.open()
        await until(lambda: engines[0].asked == 1, 10)
        pool: Any = running.gateway.pool
        (under_way,) = pool._busy
        await until(lambda: under_way._full is not None, 10)
        enough.set()
        found = [number_of(pb.ModelStreamInferResponse.FromString(one)) async for one in call]
        assert found == list(range(next(numbers)))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"routing": {"requestTimeoutSeconds": 0.3}}, "request time-out"),
        ({"routing": {"idleTimeoutSeconds": 0.3}}, "idle time-out"),
    ],
)
async def test_an_answer_that_takes_too_long_ends_with_words_that_say_so(
    tmp_path: Path, spec: dict[str, Any], words: str
) -> None:
    async with served(tmp_path, never_ends, spec=spec) as (running, stream, engines):
        first, last = await stream.all(message("a"))
        assert (number_of(first), last.infer_response.id) == (0, "a")
        assert words in last.error_message
        await until(lambda: engines[0].ended == 1, 10)
        (row,) = running.rows()
    assert row["status"] == 200


async def test_an_engine_that_does_not_tell_what_its_model_is_is_asked_by_the_way_that_has_all_answers(
    tmp_path: Path,
) -> None:
    async def keeps_it(exchange: Exchange) -> None:
        if exchange.path.endswith("/config"):
            await exchange.send_json({"error": "restricted"}, 403)
        else:
            await decoupled(exchange)

    async with streaming_engine(answers(3), keeps_it) as engine, served(tmp_path) as (running, stream, _):
        running.put(endpoints(engine))
        asked = pb.ModelInferRequest.FromString(message())
        asked.inputs.add(name="text", datatype="BYTES", shape=[1, 1])
        asked.raw_input_contents.append(b"\x01\x00\x00\x00a")
        assert [number_of(one) for one in await stream.all(asked.SerializeToString())] == [0, 1, 2]


async def test_answers_end_with_the_accelerator_seconds_of_a_soft_budget(tmp_path: Path) -> None:
    async def writes_on(_request: Any, context: Context) -> None:
        for number in itertools.count():
            await context.write(response(number))
            await asyncio.sleep(0.01)

    fields = {"unit": BudgetUnit.ACCELERATOR_SECONDS, "hardness": Hardness.SOFT, "scope_id": "prj_default"}
    snapshot = make_snapshot([KEY], further_budgets=[a_budget(1200, **fields)])
    async with (
        ledger_over_http(SharedLedger(1200)) as plane,
        served(
            tmp_path,
            writes_on,
            spec={"resources": {"acceleratorsPerPod": 4}},
            snapshot=snapshot,
            MIZZEN_CONTROLPLANE_URL=plane,
        ) as (running, stream, engines),
    ):
        *found, last = await stream.all(message("a"))
        assert [number_of(one) for one in found] == list(range(len(found)))
        assert "its 1.2 accelerator-seconds" in last.error_message
        assert "tokens" not in last.error_message
        await until(lambda: engines[0].ended == 1, 10)
        (row,) = running.rows()
    assert (row["status"], row["time_budget_ids"]) == (200, ["bud_a"])
    assert row["accelerator_ms"] >= 1100


async def test_a_gateway_that_runs_alone_asks_where_its_file_says_by_tls_and_with_the_upstreams_key(
    tmp_path: Path,
) -> None:
    key, entry = a_key()
    authority, port = trustme.CA(), free_port()
    (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes())
    (tmp_path / "upstream-key").write_text("sk-triton")
    async with streaming_engine(answers(3), certificate=authority.issue_cert("127.0.0.1")) as engine:
        upstream = {
            "name": "triton",
            "url": f"http://127.0.0.1:{engine.address[1]}",
            "grpc_url": f"https://127.0.0.1:{engine.grpc_port}",
            "ca_file": "ca.pem",
            "api_key": {"file": "upstream-key"},
            "protocol": "OpenInference",
            "engine": "Triton",
        }
        models = [{"name": "m", "upstreams": ["triton"], "upstream_name": "inner"}]
        listen = {"port": free_port(), "admin_port": free_port(), "grpc_port": port}
        document = a_file("", entry, upstreams=[upstream], models=models, listen=listen)
        async with alone(tmp_path, document), grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            metadata = (("authorization", f"Bearer {key.text}"),)
            assert [number_of(one) for one in await Stream(channel, metadata).all()] == [0, 1, 2]
        assert engine.metadata["authorization"] == "Bearer sk-triton"
        assert engine.metadata["x-request-id"].startswith("req_")


async def test_mirrors_of_a_route_get_such_requests_too(tmp_path: Path) -> None:
    rule = {"name": "all", "backends": [{"deployment": "m"}], "mirrors": [{"deployment": "other"}]}
    route = {
        "kind": "ModelRoute",
        "metadata": {"name": "public", "namespace": "default"},
        "spec": {"rules": [rule]},
        "status": {"project": "default"},
    }
    async with streaming_engine(answers(2)) as other, served(tmp_path, answers(3)) as (running, stream, _):
        running.put(model_deployment("other"), endpoints(other, name="other"), route)
        found = await stream.all(message(model="public"))
        assert [(number_of(one), one.infer_response.model_name) for one in found] == [(n, "public") for n in range(3)]
        await until(lambda: other.ended == 1, 10)
        assert [row["deployment"] for row in running.rows()] == ["m"]


async def test_a_gateway_that_stops_lets_answers_end(tmp_path: Path) -> None:
    more = asyncio.Event()

    async def waits(_request: Any, context: Context) -> None:
        await context.write(response(0))
        await more.wait()
        await context.write(response(1))

    async with served(tmp_path, waits, MIZZEN_DRAIN_SECONDS="10") as (running, stream, _):
        call = stream.open()
        await call.read()
        grpc_server: Any = running.gateway._grpc
        draining = asyncio.create_task(grpc_server.drain(10))
        more.set()
        assert number_of(pb.ModelStreamInferResponse.FromString(await call.read())) == 1
        assert await call.read() is grpc.aio.EOF
        await draining
        assert [row["status"] for row in running.rows()] == [200]


async def silent(exchange: Exchange) -> None:
    """A Triton that shows nobody its model's configuration: its words and statuses are those of a real one."""
    if exchange.path.endswith("/infer"):
        await exchange.send_json(
            {"error": "HTTP end point doesn't support models with decoupled transaction policy"}, 501
        )
    elif exchange.path.endswith("/config"):
        await exchange.send_json({"error": "This API is restricted, expecting header 'k'"}, 403)
    else:
        await decoupled(exchange)


async def test_where_the_engine_does_not_show_what_its_model_is_its_refusal_is_told_by_name(tmp_path: Path) -> None:
    texts = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1.0, 2.0]}]}
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(streaming_engine(answers(2), silent))
        objects = [model_deployment("m"), endpoints(engine), model_deployment("bare"), endpoints(engine, name="bare")]
        objects[3]["spec"]["endpoints"][0]["grpcPort"] = None
        running = await stack.enter_async_context(
            running_gateway(tmp_path, make_snapshot([KEY]), *objects, MIZZEN_GRPC_PORT="0")
        )
        session = await stack.enter_async_context(aiohttp.ClientSession(headers=KEY.headers))
        async with session.post(running.url + "/v2/models/m/infer", json=texts) as told:
            assert "ModelStreamInfer" in await told.text()
            assert told.status == 400
        place = f"127.0.0.1:{running.gateway.grpc_port}"
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(place))
        with pytest.raises(grpc.aio.AioRpcError, match="ModelStreamInfer") as refused:
            await channel.unary_unary(METHOD.replace("Stream", ""))(message(), metadata=METADATA)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        stream = Stream(channel)
        assert [number_of(one) for one in await stream.all()] == [0, 1]
        (alone,) = await stream.all(message(model="bare"))
        assert "port named grpc" in alone.error_message
        assert [row["status"] for row in running.rows()] == [400, 400, 200, 400]


async def test_the_span_of_a_try_by_grpc_has_the_port_that_was_asked(tmp_path: Path) -> None:
    async with span_collector() as collector:
        traced = {"MIZZEN_TRACES_URL": collector.url, "MIZZEN_TRACES_SHARE": "all"}
        async with served(tmp_path, answers(1), **traced) as (_, stream, engines):
            await stream.all()
            found = await collector.until(lambda spans: len(spans) >= 2)
        (port,) = [span.attributes["server.port"] for span in found if "server.port" in span.attributes]
        assert port == engines[0].grpc_port
