"""Does a request go where its deployment's endpoint picker says? A real gateway, a real gRPC server, two engines."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from support import ext_proc_messages as official
from support.endpoint_picker import PickerDouble, endpoint_picker, picks
from support.free_ports import free_port
from support.gateway import RunningGateway, endpoint_set, make_key, make_snapshot, model_deployment, running_gateway
from support.scripted_engine import Exchange, ScriptedEngine, completion, scripted_engine

CHAT = "/v1/chat/completions"
KEY = make_key()


async def well(exchange: Exchange) -> None:
    if exchange.method == "GET":
        await exchange.send(404, b"")
    else:
        await exchange.send_json(completion(exchange.document["model"]))


@dataclass
class Stage:
    """A gateway with one deployment, its picker and its two engines."""

    running: RunningGateway
    picker: PickerDouble
    engines: list[ScriptedEngine]
    session: aiohttp.ClientSession

    async def ask(self) -> tuple[int, str]:
        """Status, and code of a refusal."""
        body = {"model": "chat", "messages": [{"role": "user", "content": "which one?"}]}
        async with self.session.post(self.running.url + CHAT, json=body) as response:
            answer = await response.json(content_type=None)
            return response.status, "" if response.status == 200 else answer["error"]["code"]

    def asked(self) -> Counter[int]:
        """Requests by engine."""
        return Counter(
            number for number, engine in enumerate(self.engines) for one in engine.exchanges if one.path == CHAT
        )


@asynccontextmanager
async def staged(
    folder: Path, answer: Callable[[list[ScriptedEngine]], list[bytes]], port: int | None = None
) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        engines = [await stack.enter_async_context(scripted_engine(well)) for _ in range(2)]
        picker = await stack.enter_async_context(endpoint_picker(lambda: answer(engines)))
        routing = {"policy": "External", "endpointPickerRef": f"picker:{port or picker.port}"}
        objects = [
            model_deployment("chat", routing=routing),
            endpoint_set("chat", *[engine.address for engine in engines]),
        ]
        settings = {"MIZZEN_ENDPOINT_PICKER_HOST": "127.0.0.1"}
        running = await stack.enter_async_context(running_gateway(folder, make_snapshot([KEY]), *objects, **settings))
        session = await stack.enter_async_context(aiohttp.ClientSession(headers=KEY.headers))
        yield Stage(running, picker, engines, session)


async def test_a_request_goes_where_the_picker_says(tmp_path: Path) -> None:
    async with staged(tmp_path, lambda engines: picks(engines[1].address)) as stage:
        for _ in range(6):
            assert await stage.ask() == (200, "")
        assert stage.asked() == {1: 6}
        headers, body = stage.picker.heard[:2]
        for engine in stage.engines:
            assert "{}:{}".format(*engine.address).encode() in headers, "what it may choose from"
        assert b"which one?" in body


async def test_a_picker_that_turns_a_request_away_is_obeyed(tmp_path: Path) -> None:
    async with staged(tmp_path, lambda _: [bytes.fromhex(official.BUSY)]) as stage:
        assert await stage.ask() == (429, "model_not_ready")
        assert stage.asked() == {}


async def test_without_a_picker_that_answers_requests_go_by_load(tmp_path: Path) -> None:
    async with staged(tmp_path, lambda _: [], port=free_port()) as stage:
        for _ in range(4):
            assert await stage.ask() == (200, "")
        assert stage.asked() == {0: 2, 1: 2}


async def test_an_endpoint_that_is_not_the_deployments_gets_nothing(tmp_path: Path) -> None:
    stranger = "127.0.0.1", 65535
    async with staged(tmp_path, lambda _: picks(stranger)) as stage:
        for _ in range(4):
            assert await stage.ask() == (200, "")
        assert stage.asked() == {0: 2, 1: 2}
