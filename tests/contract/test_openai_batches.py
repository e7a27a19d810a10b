"""The package `openai`, unmodified: batches, kept by a real control plane and run by a real gateway."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import openai
import pytest
from mizzen_gateway.wiring import Gateway
from openai.types import Batch
from support.controlplane import ControlPlane, sqlite_controlplane
from support.gateway import endpoint_set, model_deployment
from support.gateway_of_plane import gateway_of, new_key, put
from support.scripted_engine import Behaviour, Exchange, ScriptedEngine, completion, scripted_engine
from support.span_collector import span_collector
from support.until import until

CHAT = "/v1/chat/completions"
CONSUMER = 5
ENDED = {"completed", "failed", "cancelled", "expired"}


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with sqlite_controlplane(tmp_path_factory.mktemp("plane")) as found:
        yield found


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a gateway asks the control plane each second or two, it asks more often."""
    monkeypatch.setattr("mizzen_gateway.batches.runner.POLL_SECONDS", 0.05)
    monkeypatch.setattr("mizzen_gateway.batches.batch_run.RENEW_SECONDS", 0.2)


@dataclass
class Tenant:
    """A project with a model and a key, and who calls."""

    plane: ControlPlane
    project: str
    key_id: str
    secret: str
    folder: Path
    engine: ScriptedEngine

    @asynccontextmanager
    async def client(self, **environment: str) -> AsyncIterator[tuple[Gateway, openai.AsyncOpenAI]]:
        """Behind a gateway of its own, which always has the same name and data."""
        async with gateway_of(self.plane, self.folder / "gw", **environment) as gateway:
            await until(lambda: gateway.why_not_ready() is None and (self.project, "chat") in gateway.table, 60)
            await until(lambda: gateway.table.target((self.project, "chat")).any_ready, 60)
            url = f"http://127.0.0.1:{gateway.port}/v1"
            async with openai.AsyncOpenAI(base_url=url, api_key=self.secret, max_retries=0) as client:
                yield gateway, client

    def asked(self) -> list[str]:
        """What the engine was asked, in order."""
        return [one.document["messages"][0]["content"] for one in self.engine.exchanges]


@asynccontextmanager
async def tenant(plane: ControlPlane, folder: Path, behaviour: Behaviour) -> AsyncIterator[Tenant]:
    project = plane.new_project()
    key_id, secret = new_key(plane, project)
    async with scripted_engine(behaviour) as engine:
        put(plane, model_deployment("chat", project))
        put(plane, endpoint_set("chat", engine.address, namespace=project))
        yield Tenant(plane, project, key_id, secret, folder, engine)


def priced(one: Tenant, **prices: Any) -> str:
    """Its model has a price; the version of its rate card."""
    card = {"name": f"card-{one.project}", "project": one.project, "prices": [{"model": "chat", **prices}]}
    with one.plane.client() as admin:
        made = admin.post("/api/v1/rate-cards", json=card)
    assert made.status_code == 201, made.text
    return str(made.json()["version_id"])


def lines(count: int, **body: Any) -> bytes:
    return b"".join(
        json.dumps(
            {
                "custom_id": f"c{number}",
                "method": "POST",
                "url": CHAT,
                "body": {"model": "chat", "messages": [{"role": "user", "content": f"q{number}"}], **body},
            }
        ).encode()
        + b"\n"
        for number in range(1, count + 1)
    )


async def begun(client: openai.AsyncOpenAI, content: bytes, **fields: Any) -> Batch:
    file = await client.files.create(file=("requests.jsonl", content), purpose="batch")
    return await client.batches.create(
        input_file_id=file.id, endpoint=CHAT, completion_window="24h", metadata={"run": "7"}, **fields
    )


async def ended(client: openai.AsyncOpenAI, batch: Batch) -> Batch:
    return await reached(client, batch, lambda found: found.status in ENDED)


async def reached(client: openai.AsyncOpenAI, batch: Batch, condition: Callable[[Batch], bool]) -> Batch:
    """As a caller waits for it: by asking again."""
    async with asyncio.timeout(120):
        while True:
            found = await client.batches.retrieve(batch.id)
            if condition(found):
                return found
            await asyncio.sleep(0.05)


async def documents(client: openai.AsyncOpenAI, file_id: str | None) -> list[dict[str, Any]]:
    assert file_id is not None
    return [json.loads(line) for line in (await client.files.content(file_id)).text.splitlines()]


async def well_but_the_second(exchange: Exchange) -> None:
    if exchange.document["messages"][0]["content"] == "q2":
        await exchange.send_json({"error": {"message": "no"}}, 400)
    else:
        await exchange.send_json(completion("chat"))


async def test_a_batch_is_run_and_its_answers_and_errors_are_files(plane: ControlPlane, tmp_path: Path) -> None:
    async with (
        tenant(plane, tmp_path, well_but_the_second) as one,
        tenant(plane, tmp_path / "other", well_but_the_second) as other,
        one.client() as (gateway, client),
    ):
        version = priced(one, per_request="2", batch={"per_request": "1"})
        state = gateway.accounting.state
        await until(lambda: state.index is not None and (version, "chat") in state.index.batch_prices, 60)
        made = await begun(client, lines(5))
        assert (made.object, made.status, made.endpoint, made.metadata) == ("batch", "validating", CHAT, {"run": "7"})
        done = await ended(client, made)
        assert done.status == "completed"
        assert done.request_counts is not None
        assert (done.request_counts.total, done.request_counts.completed, done.request_counts.failed) == (5, 4, 1)
        answers = await documents(client, done.output_file_id)
        assert [answer["custom_id"] for answer in answers] == ["c1", "c3", "c4", "c5"]
        assert {answer["response"]["status_code"] for answer in answers} == {200}
        assert answers[0]["response"]["body"]["object"] == "chat.completion"
        assert answers[0]["response"]["request_id"].startswith("req_")
        (error,) = await documents(client, done.error_file_id)
        assert (error["custom_id"], error["response"]["status_code"]) == ("c2", 400)
        assert error["response"]["body"]["error"]["code"] == "invalid_request"
        assert [batch.id async for batch in client.batches.list()] == [made.id]
        await until(lambda: gateway.accounting.shipper.shipped == 5, 60)  # one row a line
        with plane.client() as admin:
            rows = admin.get(f"/api/v1/projects/{one.project}/requests").json()["items"]
        assert {row["rate_card_version"] for row in rows} == {f"{version}/batch"}
        assert sorted(Decimal(row["cost"]) for row in rows) == [0, 1, 1, 1, 1]

        stranger = openai.AsyncOpenAI(base_url=client.base_url, api_key=other.secret, max_retries=0)
        for foreign in (stranger.batches.retrieve(made.id), stranger.batches.cancel(made.id)):
            with pytest.raises(openai.NotFoundError) as refused:
                await foreign
            assert refused.value.code == "batch_not_found"
        await stranger.close()


async def test_each_line_is_a_trace_of_its_own_that_is_linked_to_the_run_of_its_batch(
    plane: ControlPlane, tmp_path: Path
) -> None:
    async with span_collector() as collector, tenant(plane, tmp_path, well_but_the_second) as one:
        traces = {"MIZZEN_TRACES_URL": collector.url, "MIZZEN_TRACES_SHARE": "all"}
        async with one.client(**traces) as (_, client):
            batch = await ended(client, await begun(client, lines(3)))
        spans = collector.spans  # the gateway has ended, so all are there
    [run] = [span for span in spans if span.name == f"batch {CHAT}"]
    assert run.attributes == {
        "mizzen.batch": batch.id, "mizzen.key": one.key_id, "mizzen.batch.completed": 2, "mizzen.batch.failed": 1,
    }  # fmt: skip
    told = sorted(
        (span for span in spans if "mizzen.batch.line" in span.attributes),
        key=lambda span: str(span.attributes["mizzen.batch.line"]),
    )
    assert [span.attributes["mizzen.batch.line"] for span in told] == [f"{batch.id}_{number}" for number in (1, 2, 3)]
    assert len({span.trace_id for span in (*told, run)}) == 4, "no line is in the trace of another"
    for span in told:
        assert (span.name, span.kind, span.parent_id) == (f"POST {CHAT}", CONSUMER, "")
        assert span.links == [(run.trace_id, run.span_id)]
        assert run.started_ns <= span.started_ns <= span.ended_ns <= run.ended_ns
        [call] = [each for each in spans if each.parent_id == span.span_id]
        assert call.attributes["mizzen.request_id"] == span.attributes["mizzen.request_id"]
        assert call.attributes["gen_ai.provider.name"] == "simulated"


async def test_a_batch_goes_on_after_a_restart_and_sends_no_answered_line_again(
    plane: ControlPlane, tmp_path: Path
) -> None:
    open_ = asyncio.Event()

    async def three_then_later(exchange: Exchange) -> None:
        if exchange.document["messages"][0]["content"] not in {"q1", "q2", "q3"}:
            await open_.wait()
        await exchange.send_json(completion("chat"))

    async with tenant(plane, tmp_path, three_then_later) as one:
        async with one.client() as (_, client):
            made = await begun(client, lines(20))
            await reached(
                client, made, lambda found: found.request_counts is not None and found.request_counts.completed == 3
            )
        before = set(one.asked())
        open_.set()
        async with one.client() as (_, client):
            done = await ended(client, made)
            assert done.status == "completed"
            assert len(await documents(client, done.output_file_id)) == 20
        again = [question for question in one.asked() if one.asked().count(question) > 1]
        assert set(again) <= before - {"q1", "q2", "q3"}


async def until_refused(client: openai.AsyncOpenAI, batch: Batch) -> None:
    """Until the gateway has heard of the end of the key; the control plane may have told its batch before."""
    async with asyncio.timeout(60):
        while True:
            try:
                await client.batches.retrieve(batch.id)
            except openai.AuthenticationError:
                return
            await asyncio.sleep(0.05)


async def never(exchange: Exchange) -> None:
    await asyncio.Event().wait()


async def test_a_revoked_key_stops_its_batch_and_what_the_engine_does_for_it(
    plane: ControlPlane, tmp_path: Path
) -> None:
    async with tenant(plane, tmp_path, never) as one, one.client() as (_, client):
        _, second = new_key(plane, one.project, "second")
        made = await begun(client, lines(12))
        await until(lambda: one.engine.exchanges, 120)
        with plane.client() as admin:
            admin.post(f"/api/v1/projects/{one.project}/keys/{one.key_id}:revoke").raise_for_status()
        await asyncio.wait_for(one.engine.gone.wait(), 60)
        await until_refused(client, made)
        async with openai.AsyncOpenAI(base_url=client.base_url, api_key=second, max_retries=0) as colleague:
            done = await ended(colleague, made)
            assert (done.status, done.output_file_id) == ("failed", None)
            assert done.errors is not None
            assert [fault.code for fault in done.errors.data or ()] == ["key_revoked"]
            told = await documents(colleague, done.error_file_id)
        assert [line["error"]["code"] for line in told] == ["key_revoked"] * 12
        assert len(one.engine.exchanges) < 12


async def test_a_cancelled_batch_keeps_what_was_answered(plane: ControlPlane, tmp_path: Path) -> None:
    open_ = asyncio.Event()

    async def later(exchange: Exchange) -> None:
        await open_.wait()
        await exchange.send_json(completion("chat"))

    async with tenant(plane, tmp_path, later) as one, one.client() as (gateway, client):
        made = await begun(client, lines(12))
        await until(lambda: one.engine.exchanges, 120)
        assert (await client.batches.cancel(made.id)).status == "cancelling"
        await until(lambda: not any(run.sends for run in gateway.batches.runs), 60)
        sent = len(one.engine.exchanges)
        open_.set()
        done = await ended(client, made)
        assert done.status == "cancelled"
        answers = await documents(client, done.output_file_id)
        told = await documents(client, done.error_file_id)
        assert len(answers) == sent < 12
        assert {line["error"]["code"] for line in told} == {"batch_cancelled"}
        assert {line["custom_id"] for line in answers + told} == {f"c{number}" for number in range(1, 13)}


async def test_what_is_no_batch_is_refused_by_name(plane: ControlPlane, tmp_path: Path) -> None:
    async with tenant(plane, tmp_path, never) as one, one.client() as (_, client):
        file = await client.files.create(file=("x", lines(1, stream=True)), purpose="batch")
        for body, param in (
            ({"endpoint": "/v1/images/generations"}, "endpoint"),
            ({"completion_window": "1h"}, "completion_window"),
            ({"priority": "high"}, "priority"),
            ({"output_expires_after": {"anchor": "created_at", "seconds": 60}}, "output_expires_after.seconds"),
        ):
            whole = {"input_file_id": file.id, "endpoint": CHAT, "completion_window": "24h", **body}
            with pytest.raises(openai.BadRequestError) as refused:
                await client.post("/batches", body=whole, cast_to=Batch)
            assert refused.value.param == param
        failed = await ended(client, await begun(client, lines(1, stream=True)))
        assert failed.status == "failed"
        assert failed.errors is not None
        assert [(fault.code, fault.line) for fault in failed.errors.data or ()] == [("invalid_body", 1)]
        assert one.engine.exchanges == []
