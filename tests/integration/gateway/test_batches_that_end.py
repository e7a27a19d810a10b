"""What a batch asked for is gone as soon as the gateway has done with it: nothing of it waits for the collector."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from mizzen_crds.kept_batches import BatchLine, BatchLines, BatchOrder, BatchWork
from mizzen_gateway.batches import batch_run, runner
from mizzen_gateway.batches.batch_run import BatchRun
from mizzen_gateway.batches.line import Line
from mizzen_gateway.protocols.open_inference.grpc.held import HeldResponder
from mizzen_gateway.protocols.openai.call import OpenAICall
from mizzen_gateway.under_way import Run
from mizzen_gateway.wire.request import Request
from support.gateway import endpoint_set, make_key, make_snapshot, model_deployment, running_gateway
from support.scripted_engine import Exchange, completion, scripted_engine
from support.until import until
from support.what_is_left import left, without_collector

KEY = make_key()
OF_BATCHES = (BatchRun, HeldResponder, Line, OpenAICall, Request, Run)
HANGS, ANSWERED, REFUSED = "hangs", "answered", "nobody"


def line(number: int, asked: str) -> BatchLine:
    body = {"model": "nobody" if asked == REFUSED else "chat", "messages": [{"role": "user", "content": asked}]}
    document = {"custom_id": asked, "method": "POST", "url": "/v1/chat/completions", "body": body}
    return BatchLine(number=number, text=orjson.dumps(document).decode())


async def behaves(exchange: Exchange) -> None:
    """An engine."""
    if exchange.method == "GET":
        await exchange.send(404, b"")
    elif HANGS.encode() in exchange.body:
        await asyncio.Event().wait()
    else:
        await exchange.send_json(completion("chat"))


class Plane:
    """A control plane that has one batch, and has it stopped when all is answered that will be."""

    def __init__(self, *asked: str) -> None:
        self.lines = [line(number, one) for number, one in enumerate(asked, 1)]
        self.batches = 1
        self.results: set[int] = set()
        self.stop = False
        self.released = False

    async def __call__(self, exchange: Exchange) -> None:
        if exchange.path.endswith("/batches:lease") and self.batches:
            self.batches -= 1
            later = datetime.now(UTC) + timedelta(hours=1)
            work = BatchWork(
                batch_id="b", project_id="prj_default", key_id=KEY.access.id, endpoint="chat", expires_at=later
            )
            await exchange.send(200, work.model_dump_json().encode())
        elif "/lines?" in exchange.path:
            found = BatchLines(lines=self.lines, after=len(self.lines), more=False)
            await exchange.send(200, found.model_dump_json().encode())
        elif exchange.path.endswith("/results"):
            self.results |= {one["number"] for one in exchange.document["results"]}
            self.released |= exchange.document["release"]
            order = BatchOrder(go_on=not self.stop, abort=self.stop)
            await exchange.send(200, order.model_dump_json().encode())
        else:
            await exchange.send(204 if exchange.path.endswith(":lease") else 503, b"")


@pytest.mark.parametrize("asked", [(ANSWERED, REFUSED, ANSWERED), (HANGS, ANSWERED, HANGS)], ids=["ends", "stopped"])
async def test_nothing_is_left_of_a_batch_that_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: tuple[str, ...]
) -> None:
    monkeypatch.setattr(batch_run, "RENEW_SECONDS", 0.1)
    monkeypatch.setattr(runner, "POLL_SECONDS", 0.05)
    plane = Plane(*asked)
    plane.batches = 0
    done = {number for number, one in enumerate(asked, 1) if one != HANGS}
    async with scripted_engine(behaves) as engine, scripted_engine(plane) as control:
        objects = (model_deployment("chat"), endpoint_set("chat", engine.address))
        url = f"http://127.0.0.1:{control.port}"
        async with running_gateway(tmp_path, make_snapshot([KEY]), *objects, MIZZEN_CONTROLPLANE_URL=url):
            with without_collector():
                plane.batches = 1
                await until(
                    lambda: (
                        plane.results == done
                        and sum(one.method == "POST" for one in engine.exchanges)
                        == sum(one != REFUSED for one in asked)
                    ),
                    20,
                )
                assert left(BatchRun) or HANGS not in asked
                plane.stop = True
                await until(lambda: plane.released, 20)
                with suppress(TimeoutError):
                    await until(lambda: not left(*OF_BATCHES), seconds=5, every=0.05)
                assert left(*OF_BATCHES) == {}
