"""Is the time of a real Triton's replica shared out once among gateways that all keep it busy?"""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
import uvloop
from support.gateway import RunningGateway, endpoint_set, make_key, make_snapshot, model_deployment, running_gateway
from support.triton import PORTS, RunningTriton, running_triton

KEY = make_key()
MODEL = """
import time
import triton_python_backend_utils as pb

class TritonPythonModel:
    def execute(self, requests):
        answers = []
        for request in requests:
            time.sleep(0.004)
            answers.append(pb.InferenceResponse([pb.Tensor("y", pb.get_input_tensor_by_name(request, "x").as_numpy())]))
        return answers
"""
CONFIG = """
backend: "python"
max_batch_size: 0
input [{ name: "x" data_type: TYPE_FP32 dims: [1] }]
output [{ name: "y" data_type: TYPE_FP32 dims: [1] }]
"""
QUESTION = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [1.0]}]}
LOOK_SECONDS = 0.25
WARM_SECONDS, SECONDS = 2.0, 3.0


@pytest.fixture(scope="module")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTriton]:
    folder = tmp_path_factory.mktemp("triton")
    version = folder / "repository" / "inner" / "1"
    version.mkdir(parents=True)
    (version / "model.py").write_text(MODEL)
    (version.parent / "config.pbtxt").write_text(CONFIG)
    with running_triton(folder / "repository", folder / "log") as running:
        yield running


def pytest_asyncio_loop_factories():
    return {"uvloop": uvloop.new_event_loop}


async def _ask(running: RunningGateway, session: aiohttp.ClientSession, until: float) -> None:
    loop = asyncio.get_running_loop()
    while loop.time() < until:
        async with session.post(running.url + "/v2/models/m/infer", json=QUESTION) as response:
            assert response.status == 200, await response.text()
            await response.read()


def _charged_ms(gateways: list[RunningGateway]) -> list[int]:
    return [sum(row.get("accelerator_ms", 0) for row in one.rows()) for one in gateways]


@pytest.mark.parametrize("callers", [(1, 1), (3, 1)], ids=str)
async def test_two_gateways_together_charge_no_more_than_the_time_that_has_passed(
    triton: RunningTriton, tmp_path: Path, callers: tuple[int, int]
) -> None:
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        objects = [
            model_deployment("m", resources={"acceleratorsPerPod": 1}),
            endpoint_set(
                "m", (triton.address, PORTS["http"]), protocol="OpenInference", engine="Triton", model_name="inner"
            ),
        ]
        gateways = [
            await stack.enter_async_context(
                running_gateway(
                    tmp_path / name, make_snapshot([KEY]), *objects, MIZZEN_ENGINE_GAUGES_SECONDS=str(LOOK_SECONDS)
                )
            )
            for name in ("one", "two")
        ]
        session = await stack.enter_async_context(aiohttp.ClientSession(headers=KEY.headers))
        began = loop.time()
        asking = [
            asyncio.ensure_future(_ask(running, session, began + WARM_SECONDS + SECONDS))
            for running, count in zip(gateways, callers, strict=True)
            for _ in range(count)
        ]
        await asyncio.sleep(WARM_SECONDS)
        before, at = _charged_ms(gateways), loop.time()
        await asyncio.gather(*asking)
        passed_ms = (loop.time() - at) * 1000
        charged = [after - earlier for after, earlier in zip(_charged_ms(gateways), before, strict=True)]
        print(f"{callers}: charged {[round(one / passed_ms, 3) for one in charged]} of the time that passed")
        assert sum(charged) <= 1.1 * passed_ms
        assert sum(charged) >= 0.6 * passed_ms
