"""/v2 over gRPC behind the same pipeline: keys, limits, rows, callers who leave, and what a message may hold."""

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import orjson
import pytest
import tritonclient.grpc.aio as triton
import trustme
from mizzen_gateway import wiring
from mizzen_gateway.errors import CannotStartError
from mizzen_gateway.protocols.open_inference.grpc.turns import AT_ONCE
from support.access_snapshots import LimitMetric, a_limit
from support.gateway import RunningGateway, endpoint_set, make_key, make_snapshot, model_deployment, running_gateway
from support.scripted_engine import Behaviour, Exchange, scripted_engine
from support.tensor_engine import tensor_engine
from support.tls_pair import write_pair
from support.until import until
from tritonclient.grpc import service_pb2 as pb
from tritonclient.utils import InferenceServerException

KEY = make_key()
NARROW = make_key(models=["other"])
METADATA = (("authorization", KEY.headers["Authorization"]),)
HEADERS = dict(METADATA)
STREAM = "/inference.GRPCInferenceService/ModelStreamInfer"
INFER = "/inference.GRPCInferenceService/ModelInfer"


@asynccontextmanager
async def served(
    folder: Path, behaviour: Behaviour | None = None, snapshot: dict[str, Any] | None = None, **environment: str
) -> AsyncIterator[tuple[RunningGateway, str]]:
    async with scripted_engine(behaviour or tensor_engine("inner")) as engine:
        endpoints = endpoint_set("m", engine.address, protocol="OpenInference", engine="Triton", model_name="inner")
        objects = [model_deployment("m"), endpoints]
        keys = make_snapshot([KEY, NARROW], **(snapshot or {}))
        async with running_gateway(folder, keys, *objects, MIZZEN_GRPC_PORT="0", **environment) as running:
            yield running, f"127.0.0.1:{running.gateway.grpc_port}"


def message(model: str = "m") -> bytes:
    made = pb.ModelInferRequest(model_name=model, id=f"call of {model}", raw_input_contents=[b"\x00\x00\x80\x3f" * 2])
    made.inputs.add(name="x", datatype="FP32", shape=[1, 2])
    raw: bytes = made.SerializeToString()
    return raw


async def test_a_call_is_metered_as_any_inference(tmp_path: Path) -> None:
    async with served(tmp_path) as (running, address), grpc.aio.insecure_channel(address) as channel:
        call = channel.unary_unary(INFER)(message(), metadata=METADATA)
        answer = pb.ModelInferResponse.FromString(await call)
        assert answer.raw_output_contents[0] == b"\x00\x00\x00\x40" * 2
        trailing = dict(await call.trailing_metadata())
        (row,) = running.rows()
    assert (row["operation"], row["status"], row["model"]) == ("infer", 200, "m")
    assert trailing["x-request-id"] == row["request_id"]


async def test_the_health_of_a_service_that_nobody_knows_is_not_told(tmp_path: Path) -> None:
    def named(name: str) -> bytes:
        return b"\x0a" + bytes((len(name),)) + name.encode()

    async with served(tmp_path) as (running, address), grpc.aio.insecure_channel(address) as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        for known in (b"", named(""), named("inference.GRPCInferenceService")):
            assert await check(known, metadata=METADATA) == b"\x08\x01"
        with pytest.raises(grpc.aio.AioRpcError, match="Service 'nobody': not known") as unknown:
            await check(named("nobody"), metadata=METADATA)
        assert await check(named("nobody")) == b"\x08\x01"  # of a caller without a key nothing is read
        assert await check(named("nobody"), metadata=(("authorization", "Bearer mzk_none"),)) == b"\x08\x01"
        with pytest.raises(grpc.aio.AioRpcError) as watched:
            await channel.unary_stream("/grpc.health.v1.Health/Watch")(b"", metadata=METADATA).read()
        assert running.rows() == []
    assert (unknown.value.code(), watched.value.code()) == (
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.UNIMPLEMENTED,
    )


async def test_a_stream_makes_a_row_for_each_request(tmp_path: Path) -> None:
    async def requests() -> AsyncIterator[bytes]:
        for model in ("m", "nobody", "m"):
            yield message(model)

    async with served(tmp_path) as (running, address), grpc.aio.insecure_channel(address) as channel:
        stream = channel.stream_stream("/inference.GRPCInferenceService/ModelStreamInfer")
        found = [pb.ModelStreamInferResponse.FromString(one) async for one in stream(requests(), metadata=METADATA)]
        assert [bool(one.error_message) for one in found] == [False, True, False]
        assert found[1].infer_response.id == "call of nobody"
        assert len(running.rows()) == 2


class Crowd:
    """An engine that counts who is there at once, and answers when a test lets it."""

    def __init__(self) -> None:
        self.inside: list[str] = []
        self.most = 0
        self.order: list[str] = []
        self.open = asyncio.Event()
        self.left = 0
        self._tells = tensor_engine("inner")

    async def __call__(self, exchange: Exchange) -> None:
        if not exchange.path.endswith("/infer"):
            await self._tells(exchange)
            return
        name = str(orjson.loads(exchange.body[: int(exchange.headers["inference-header-content-length"])])["id"])
        self.inside.append(name)
        self.order.append(name)
        self.most = max(self.most, len(self.inside))
        try:
            await self.open.wait()
            if name == "0":
                await until(lambda: self.inside == ["0"])  # the first one to be asked is the last to be answered
            self.inside.remove(name)
            await self._tells(exchange)
        except asyncio.CancelledError:
            self.left += 1
            raise


def numbered(count: int, **parameters: int) -> list[bytes]:
    found = []
    for number in range(count):
        made = pb.ModelInferRequest.FromString(message())
        made.id = str(number)
        made.raw_input_contents[0] = struct.pack("<2f", number, number)
        for name, value in parameters.items():
            made.parameters[name].int64_param = value
        found.append(made.SerializeToString())
    return found


def doubled(answers: list[Any]) -> list[float]:
    """What the engine made of each number."""
    return [struct.unpack("<2f", one.infer_response.raw_output_contents[0])[0] for one in answers]


async def streamed(address: str, messages: list[bytes]) -> list[Any]:
    async def requests() -> AsyncIterator[bytes]:
        for one in messages:
            yield one

    async with grpc.aio.insecure_channel(address) as channel:
        stream = channel.stream_stream(STREAM)(requests(), metadata=METADATA)
        return [pb.ModelStreamInferResponse.FromString(one) async for one in stream]


async def test_requests_of_a_stream_run_at_once_and_are_answered_in_their_order(tmp_path: Path) -> None:
    crowd = Crowd()
    async with served(tmp_path, crowd) as (running, address):
        asking = asyncio.create_task(streamed(address, numbered(20)))
        await until(lambda: len(crowd.inside) == AT_ONCE, 10)
        crowd.open.set()
        found = await asking
        assert doubled(found) == [2 * number for number in range(20)]
        assert not any(one.error_message for one in found)
        assert all(one.infer_response.parameters["triton_final_response"].bool_param for one in found)
        assert len(running.rows()) == 20
    assert crowd.most == AT_ONCE


async def test_requests_of_one_sequence_reach_the_engine_one_after_the_other(tmp_path: Path) -> None:
    crowd = Crowd()
    crowd.open.set()
    async with served(tmp_path, crowd) as (_, address):
        found = await streamed(address, numbered(6, sequence_id=7))
    assert doubled(found) == [2 * number for number in range(6)]
    assert crowd.order == [str(number) for number in range(6)]
    assert crowd.most == 1


async def test_a_stream_is_not_refused_for_the_requests_that_it_has_under_way_itself(tmp_path: Path) -> None:
    limit = a_limit(2, LimitMetric.CONCURRENCY, scope_id="prj_default", window_seconds=0)
    crowd = Crowd()
    crowd.open.set()
    async with served(tmp_path, crowd, {"further_limits": [limit]}) as (running, address):
        found = await streamed(address, numbered(6))
        assert not any(one.error_message for one in found)
        assert len(running.rows()) == 6
    assert crowd.most <= 2


async def test_a_stream_whose_caller_leaves_ends_all_that_it_has_under_way(tmp_path: Path) -> None:
    crowd = Crowd()
    async with served(tmp_path, crowd) as (running, address):
        asking = asyncio.create_task(streamed(address, numbered(5)))
        await until(lambda: len(crowd.inside) == 5, 10)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await until(lambda: crowd.left == 5, 10)
        await until(lambda: len(running.rows()) == 5, 10)


async def test_a_limit_says_when_to_try_again(tmp_path: Path) -> None:
    limit = a_limit(1, scope_id="prj_default")
    async with (
        served(tmp_path, snapshot={"limits": [limit]}) as (running, address),
        grpc.aio.insecure_channel(address) as channel,
    ):
        infer = channel.unary_unary(INFER)
        await infer(message(), metadata=METADATA)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await infer(message(), metadata=METADATA)
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        trailing = dict(refused.value.trailing_metadata() or ())
        assert trailing["x-error-code"] == "rate_limit_exceeded"
        assert int(trailing["retry-after"]) >= 1
        assert len(running.rows()) == 1


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ((), "UNAUTHENTICATED"),
        ((("authorization", "Bearer mzk_wrong"),), "UNAUTHENTICATED"),
        ((*METADATA, *METADATA), "UNAUTHENTICATED"),
        ((("authorization", NARROW.headers["Authorization"]),), "PERMISSION_DENIED"),
    ],
)
async def test_a_key_is_needed_as_over_http(tmp_path: Path, metadata: Any, code: str) -> None:
    async with served(tmp_path) as (running, address), grpc.aio.insecure_channel(address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await channel.unary_unary(INFER)(message(), metadata=metadata)
        assert refused.value.code().name == code
        assert running.rows() == []


async def test_another_tenants_model_looks_like_none(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, address), grpc.aio.insecure_channel(address) as channel:
        told = []
        for name in ("secret/m", "nobody"):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await channel.unary_unary(INFER)(message(name), metadata=METADATA)
            told.append((refused.value.code(), (refused.value.details() or "").replace(name, "X")))
        assert told[0] == told[1]


async def test_a_caller_that_leaves_ends_the_engines_request(tmp_path: Path) -> None:
    asked = asyncio.Event()
    tells = tensor_engine("inner")

    async def hangs(exchange: Exchange) -> None:
        if exchange.path.endswith("/infer"):
            asked.set()
            await asyncio.Event().wait()
        await tells(exchange)

    async with scripted_engine(hangs) as engine:
        endpoints = endpoint_set("m", engine.address, protocol="OpenInference", engine="Triton", model_name="inner")
        async with (
            running_gateway(
                tmp_path, make_snapshot([KEY]), model_deployment("m"), endpoints, MIZZEN_GRPC_PORT="0"
            ) as running,
            grpc.aio.insecure_channel(f"127.0.0.1:{running.gateway.grpc_port}") as channel,
        ):
            call = channel.unary_unary(INFER)(message(), metadata=METADATA)
            await asyncio.wait_for(asked.wait(), 5)
            call.cancel()
            await asyncio.wait_for(engine.gone.wait(), 1)
            engine.gone.clear()
            asked.clear()
            with pytest.raises(grpc.aio.AioRpcError) as late:
                await channel.unary_unary(INFER)(message(), metadata=METADATA, timeout=0.5)
            assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            await asyncio.wait_for(engine.gone.wait(), 1)


async def test_a_message_that_is_too_large_is_refused(tmp_path: Path) -> None:
    async with served(tmp_path, MIZZEN_MAX_BODY_BYTES="1000") as (running, address):
        async with grpc.aio.insecure_channel(address) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await channel.unary_unary(INFER)(message() + b"x" * 2000, metadata=METADATA)
            assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            packed = channel.unary_unary(INFER)
            big = message() + b"\x1a\x88\x27" + b"x" * 5000
            with pytest.raises(grpc.aio.AioRpcError) as opened:
                await packed(big, metadata=METADATA, compression=grpc.Compression.Gzip)
            assert opened.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert running.rows() == []


async def test_an_unknown_method_is_unimplemented(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, address), grpc.aio.insecure_channel(address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await channel.unary_unary("/inference.GRPCInferenceService/Nothing")(b"", metadata=METADATA)
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_model_that_answers_several_times_is_refused_by_name(tmp_path: Path) -> None:
    tells = tensor_engine("inner")

    async def decoupled(exchange: Exchange) -> None:
        if exchange.path.endswith("/config"):
            await exchange.send_json({"model_transaction_policy": {"decoupled": True}})
        else:
            await tells(exchange)

    async with served(tmp_path, decoupled) as (running, address), grpc.aio.insecure_channel(address) as channel:
        with pytest.raises(grpc.aio.AioRpcError, match="decoupled"):
            await channel.unary_unary(INFER)(message(), metadata=METADATA)
        assert running.rows() == []


async def test_over_tls_a_renewed_certificate_is_shown_and_no_call_is_dropped(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(wiring, "CERTIFICATE_SECONDS", 0.05)
    authority, pair, more = trustme.CA(), tmp_path / "tls", asyncio.Event()
    write_pair(authority, pair)

    async def requests() -> AsyncIterator[bytes]:
        yield message()
        await more.wait()
        yield message()

    async with served(tmp_path, MIZZEN_TLS_DIR=str(pair)) as (running, address):
        trusting = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
        async with grpc.aio.secure_channel(address, trusting) as channel:
            stream = channel.stream_stream(STREAM)(requests(), metadata=METADATA)
            answers = [await stream.read()]
            before = await shown(authority, running.gateway.grpc_port)
            write_pair(authority, pair)
            async with asyncio.timeout(20):
                while await shown(authority, running.gateway.grpc_port) == before:
                    pass
            more.set()
            answers.append(await stream.read())
            assert not any(pb.ModelStreamInferResponse.FromString(one).error_message for one in answers)
            await channel.unary_unary(INFER)(message(), metadata=METADATA)
        async with grpc.aio.insecure_channel(address) as plain:
            with pytest.raises(grpc.aio.AioRpcError):
                await plain.unary_unary(INFER)(message(), metadata=METADATA, timeout=2)


async def shown(authority: trustme.CA, port: int) -> str:
    """Serial number of the certificate that a new connection is shown."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.set_alpn_protocols(["h2"])
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    certificate: Mapping[str, Any] = writer.get_extra_info("peercert")
    writer.close()
    return str(certificate["serialNumber"])


async def test_a_model_of_the_other_protocol_says_where_to_call_it(tmp_path: Path) -> None:
    async with served(tmp_path) as (running, address):
        running.put(model_deployment("chat"), endpoint_set("chat", ("127.0.0.1", 9)))
        async with triton.InferenceServerClient(address) as client:
            tensor = triton.InferInput("x", [1, 2], "FP32")
            tensor._raw_content = b"\x00" * 8
            with pytest.raises(InferenceServerException, match="/v1/chat/completions"):
                await client.infer("chat", [tensor], headers=HEADERS)


async def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    async with served(tmp_path / "one") as (_, address):
        with pytest.raises(CannotStartError, match="MIZZEN_GRPC_PORT"):
            async with running_gateway(
                tmp_path / "two", make_snapshot([KEY]), MIZZEN_GRPC_PORT=address.partition(":")[2]
            ):
                pass


async def test_without_its_port_there_is_no_grpc(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, make_snapshot([KEY])) as running:
        assert running.gateway.grpc_port == 0
