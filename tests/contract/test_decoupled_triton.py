"""Models that answer one request several times, on a real Triton behind the gateway: as Triton itself gives them."""

import asyncio
import queue
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
from support.access_snapshots import a_limit
from support.counting_triton import ask, counting_triton, number_in
from support.gateway import RunningGateway, endpoint_set, make_key, make_snapshot, model_deployment, running_gateway
from support.scripted_engine import scripted_engine
from support.tensor_engine import tensor_engine
from support.triton import PORTS, RunningTriton
from support.until import until
from tritonclient.grpc import service_pb2 as pb

KEY = make_key()
METADATA = (("authorization", KEY.headers["Authorization"]),)
STREAM = "/inference.GRPCInferenceService/ModelStreamInfer"
INFER = "/inference.GRPCInferenceService/ModelInfer"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("counting")


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[RunningTriton]:
    with counting_triton(folder) as found:
        yield found


@asynccontextmanager
async def served(
    engine: RunningTriton, tmp_path: Path, **snapshot: Any
) -> AsyncIterator[tuple[RunningGateway, grpc.aio.Channel]]:
    """Triton's model is `m`; `once` is one that has one answer."""
    address = (engine.address, PORTS["http"])
    spoken: dict[str, Any] = {"protocol": "OpenInference", "engine": "Triton"}
    async with scripted_engine(tensor_engine("once")) as other:
        objects = [
            model_deployment("m", resources={"acceleratorsPerPod": 2}),
            endpoint_set("m", address, model_name="inner", grpcPort=PORTS["grpc"], **spoken),
            model_deployment("once"),
            endpoint_set("once", other.address, **spoken),
        ]
        keys = make_snapshot([KEY], **snapshot)
        async with (
            running_gateway(tmp_path, keys, *objects, MIZZEN_GRPC_PORT="0") as running,
            grpc.aio.insecure_channel(f"127.0.0.1:{running.gateway.grpc_port}") as channel,
        ):
            yield running, channel


async def streamed(channel: grpc.aio.Channel, messages: Sequence[bytes], **options: Any) -> list[Any]:
    async def requests() -> AsyncIterator[bytes]:
        for one in messages:
            yield one

    stream = channel.stream_stream(STREAM)(requests(), metadata=METADATA, **options)
    return [pb.ModelStreamInferResponse.FromString(one) async for one in stream]


def final(answer: Any) -> bool:
    return bool(answer.infer_response.parameters["triton_final_response"].bool_param)


async def test_every_answer_comes_in_order_and_requests_do_not_wait_for_each_other(
    engine: RunningTriton, tmp_path: Path
) -> None:
    async with served(engine, tmp_path) as (running, channel):
        found = await streamed(channel, [ask(20, pause_ms=5, id="a"), ask(20, pause_ms=5, id="b")])
        names = [one.infer_response.id for one in found]
        for name in ("a", "b"):
            assert [number_in(one) for one in found if one.infer_response.id == name] == list(range(20))
        assert names.index("b") < 20, "the second one did not wait for the first"
        assert {(one.infer_response.model_name, final(one)) for one in found} == {("m", False)}
        rows = running.rows()
    assert [(row["operation"], row["status"], row["model"]) for row in rows] == [("infer", 200, "m")] * 2
    assert [len(row["attempts"]) for row in rows] == [1, 1]
    assert [(row["input_tokens"], row["output_tokens"]) for row in rows] == [(0, 0)] * 2
    assert sum(row["accelerator_ms"] for row in rows) >= 2 * 20 * 5, "two accelerators, busy until the last answer"


async def test_the_end_of_a_requests_answers_is_told_to_callers_that_ask_for_it(
    engine: RunningTriton, tmp_path: Path
) -> None:
    async with served(engine, tmp_path) as (running, channel):
        for asked in (2, 0):
            plain = await streamed(channel, [ask(asked, id="a")])
            assert [(number_in(one), final(one)) for one in plain] == [(number, False) for number in range(asked)]
            *counted, last = await streamed(channel, [ask(asked, id="a", triton_enable_empty_final_response=True)])
            assert [number_in(one) for one in counted] == list(range(asked))
            assert (last.infer_response.id, len(last.infer_response.outputs), final(last)) == ("a", 0, True)
            assert last.infer_response.model_name == "m"
        assert [(row["status"], row["answered"]) for row in running.rows()] == [(200, True)] * 4


async def test_an_error_stands_among_the_answers_in_our_words(engine: RunningTriton, tmp_path: Path) -> None:
    async with served(engine, tmp_path) as (running, channel):
        found = await streamed(channel, [ask(3, fails=1, id="a")])
        assert [bool(one.error_message) for one in found] == [False, True, False]
        assert [number_in(one) for one in found if not one.error_message] == [0, 2]
        first, *others = await streamed(channel, [ask(2, fails=0, id="a")])
        assert (bool(first.error_message), [number_in(one) for one in others]) == (True, [1])
        (alone,) = await streamed(channel, [ask(1, fails=0, id="b")])
        for told, name in ((found[1], "a"), (first, "a"), (alone, "b")):
            assert (told.infer_response.id, final(told)) == (name, False)
            assert "Model 'm' failed" in told.error_message
            assert "SECRET" not in told.error_message
        rows = running.rows()
    assert [(row["status"], row["answered"]) for row in rows] == [(200, True), (200, True), (502, False)]


async def test_a_caller_that_leaves_or_whose_deadline_passes_ends_the_models_work(
    engine: RunningTriton, tmp_path: Path, folder: Path
) -> None:
    cancelled = folder / "cancelled"

    def noticed() -> int:
        return len(cancelled.read_text()) if cancelled.exists() else 0

    async with served(engine, tmp_path) as (running, channel):
        call = channel.unary_stream(STREAM)(ask(1000, pause_ms=20), metadata=METADATA)
        assert number_in(pb.ModelStreamInferResponse.FromString(await call.read())) == 0
        call.cancel()
        await until(lambda: noticed() == 1, 20)
        with pytest.raises(grpc.aio.AioRpcError) as late:
            await streamed(channel, [ask(1000, pause_ms=20)], timeout=0.5)
        assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await until(lambda: noticed() == 2, 20)
        await until(lambda: len(running.rows()) == 2, 10)


async def test_calls_that_have_one_answer_are_refused_by_name(engine: RunningTriton, tmp_path: Path) -> None:
    document = {"inputs": [{"name": "ask", "datatype": "INT32", "shape": [4], "data": [1, -1, 0, 1]}]}
    asked = {"/v2/models/m/infer": document, "/v1/classify": {"model": "m", "input": "x"}}
    async with served(engine, tmp_path) as (running, channel), aiohttp.ClientSession(headers=KEY.headers) as session:
        with pytest.raises(grpc.aio.AioRpcError, match="ModelStreamInfer") as refused:
            await channel.unary_unary(INFER)(ask(1), metadata=METADATA)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        for path, body in asked.items():
            async with session.post(running.url + path, json=body) as response:
                assert (response.status, "ModelStreamInfer" in await response.text()) == (400, True)
        assert running.rows() == []
        # By these words it is known where the engine's configuration is hidden.
        async with session.post(f"http://{engine.url}/v2/models/inner/infer", json=document) as response:
            assert (response.status, "decoupled" in await response.text()) == (501, True)


async def test_each_request_of_a_stream_is_held_to_limits_and_to_the_model(
    engine: RunningTriton, tmp_path: Path
) -> None:
    limits = [a_limit(2, scope_id="prj_default")]
    wrong = pb.ModelInferRequest.FromString(ask(1, id="wrong"))
    wrong.inputs[0].datatype = "INT64"
    messages = [wrong.SerializeToString(), ask(1, id="nine", version="9"), *(ask(2, id=one) for one in "abc")]
    async with served(engine, tmp_path, limits=limits) as (running, channel):
        found = await streamed(channel, messages)
        said = {one.infer_response.id: one.error_message for one in found if one.error_message}
        assert {"wrong", "nine"} < said.keys()
        assert "datatype" in said.pop("wrong")
        assert "no such version" in said.pop("nine")
        ((_, words),) = said.items()
        assert "per-minute" in words
        assert len(found) == 2 + 1 + 2 * 2
        assert len(running.rows()) == 2


async def test_a_model_with_one_answer_does_not_wait_for_one_with_several_in_the_same_stream(
    engine: RunningTriton, tmp_path: Path
) -> None:
    once = pb.ModelInferRequest(model_name="once", id="once", raw_input_contents=[b"\x00\x00\x80\x3f" * 2])
    once.inputs.add(name="x", datatype="FP32", shape=[1, 2])
    async with served(engine, tmp_path) as (running, channel):
        found = await streamed(channel, [ask(40, pause_ms=10, id="many"), once.SerializeToString()])
        names = [one.infer_response.id or one.infer_response.model_name for one in found]
        assert names.count("many") == 40
        assert names.index("once") < 40
        assert len(running.rows()) == 2


async def test_the_example_of_the_documentation_prints_every_answer(
    engine: RunningTriton, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).parents[2] / "docs/how-to/call-models.md").read_text()
    code = "import queue\n" + page.partition("```python\nimport queue\n")[2].partition("```")[0]
    for written, here in (('"story"', '"m"'), ('as_numpy("text")', 'as_numpy("n").tolist()')):
        assert written in code
        code = code.replace(written, here)
    code = code.replace('{"authorization": "Bearer mzk_..."}', repr(dict(METADATA)))
    given = triton.InferInput("ask", [4], "INT32")
    given.set_data_from_numpy(np.array([3, -1, 0, 2], dtype=np.int32))

    def run(port: int) -> None:
        with triton.InferenceServerClient(f"127.0.0.1:{port}") as client:
            exec(code, {"client": client, "text": given})

    async with served(engine, tmp_path) as (running, _):
        await asyncio.wait_for(asyncio.to_thread(run, running.gateway.grpc_port), 60)
    assert [line for line in capsys.readouterr().out.split("\n") if line.startswith("[")] == [
        "[0, 0]",
        "[1, 1]",
        "[2, 2]",
    ]


async def test_the_unmodified_client_streams(engine: RunningTriton, tmp_path: Path) -> None:
    given = triton.InferInput("ask", [4], "INT32")
    given.set_data_from_numpy(np.array([3, -1, 0, 2], dtype=np.int32))
    answers: queue.Queue[tuple[Any, Any]] = queue.Queue()

    def ask_and_wait(port: int) -> list[tuple[Any, Any]]:
        with triton.InferenceServerClient(f"127.0.0.1:{port}") as client:
            client.start_stream(callback=lambda result, error: answers.put((result, error)), headers=dict(METADATA))
            for name in ("a", "b"):
                client.async_stream_infer("m", [given], request_id=name, enable_empty_final_response=True)
            return [answers.get(timeout=30) for _ in range(2 * 4)]

    async with served(engine, tmp_path) as (running, _):
        found = await asyncio.to_thread(ask_and_wait, running.gateway.grpc_port)
    assert [error for _, error in found if error is not None] == []
    for name in ("a", "b"):
        mine = [result for result, _ in found if result.get_response().id == name]
        assert [one.as_numpy("n").tolist() for one in mine[:-1]] == [[number] * 2 for number in range(3)]
        assert mine[-1].get_response().parameters["triton_final_response"].bool_param is True
