"""A gateway beside a real control plane: what it learns from it, and how it goes on without it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from mizzen_gateway.wiring import Gateway
from support.controlplane import ControlPlane, sqlite_controlplane
from support.gateway import endpoint_set, model_deployment
from support.gateway_of_plane import ASK, drop, gateway_of, new_key, put, status_of
from support.plain_http import NOBODY
from support.scripted_engine import Exchange, completion, scripted_engine
from support.serving import Serving
from support.until import until


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with sqlite_controlplane(tmp_path_factory.mktemp("plane")) as found:
        yield found


async def well(exchange: Exchange) -> None:
    await exchange.send_json(completion("chat"))


async def test_a_request_is_served_and_its_row_reaches_the_ledger(plane: ControlPlane, tmp_path: Path) -> None:
    project = plane.new_project()
    _, secret = new_key(plane, project)
    async with scripted_engine(well) as engine, gateway_of(plane, tmp_path / "gw-ledger") as gateway:
        put(plane, model_deployment("chat", project))
        put(plane, endpoint_set("chat", engine.address, namespace=project))
        await until(lambda: gateway.why_not_ready() is None)
        await until(lambda: (project, "chat") in gateway.table and any_ready(gateway, project))
        assert await status_of(gateway, secret) == 200
        await until(lambda: gateway.accounting.shipper.shipped == 1)


def any_ready(gateway: Gateway, namespace: str) -> bool:
    return gateway.table.target((namespace, "chat")).any_ready


async def test_a_revoked_key_is_refused_within_a_second(plane: ControlPlane, tmp_path: Path) -> None:
    project = plane.new_project()
    key_id, secret = new_key(plane, project)
    async with scripted_engine(well) as engine, gateway_of(plane, tmp_path / "gw-revoke") as gateway:
        put(plane, model_deployment("chat", project))
        put(plane, endpoint_set("chat", engine.address, namespace=project))
        await until(lambda: gateway.why_not_ready() is None and (project, "chat") in gateway.table)
        await until(lambda: any_ready(gateway, project))
        assert await status_of(gateway, secret) == 200
        with plane.client() as client:
            revoked = client.post(f"/api/v1/projects/{project}/keys/{key_id}:revoke")
        assert revoked.status_code < 300, revoked.text
        index = gateway.accounting.state
        await until(lambda: index.index is not None and key_id.removeprefix("key_") not in str(index.index.keys), 1.0)
        assert await status_of(gateway, secret) == 401


async def test_a_key_that_is_made_for_batch_gives_way_first(plane: ControlPlane, tmp_path: Path) -> None:
    asked, told, stack = list[str](), asyncio.Event(), Serving(plane, tmp_path)

    async def held(exchange: Exchange) -> None:
        if exchange.method == "POST":
            asked.append(exchange.document["messages"][0]["content"])
            await told.wait()
        await exchange.send_json(completion("chat"))

    async with scripted_engine(held) as engine, httpx.AsyncClient(trust_env=False, verify=NOBODY, timeout=60) as client:
        plain = stack.make("projects/default/keys", name="plain")["secret"]
        nightly = stack.make("projects/default/keys", name="nightly", priority="batch")["secret"]
        stack.serve("chat", engine.address)

        async def ask(name: str, secret: str) -> tuple[int, str]:
            body = {**ASK, "messages": [{"role": "user", "content": name}]}
            headers = {"Authorization": f"Bearer {secret}"}
            answer = await client.post(f"{stack.url}/v1/chat/completions", json=body, headers=headers)
            return answer.status_code, answer.json().get("error", {}).get("code", "")

        async def waiting(priority: str, number: int) -> None:
            line = f'mizzen_gateway_waiting{{deployment="chat",namespace="default",priority="{priority}"}} {number}.0'
            async with asyncio.timeout(20):
                while line not in (await client.get(f"http://127.0.0.1:{stack.admin_port}/metrics")).text:  # noqa: ASYNC110 - nobody signals it
                    await asyncio.sleep(0.02)

        try:
            # One place; ten interactive, five standard and two batch requests may wait.
            await stack.start(MIZZEN_REPLICA_REQUESTS="1", MIZZEN_QUEUE_SECONDS="10")
            first = asyncio.create_task(ask("first", plain))
            await until(lambda: asked == ["first"], 20)
            waits = [asyncio.create_task(ask(f"batch {number}", nightly)) for number in range(2)]
            await waiting("batch", 2)
            assert await ask("one more", nightly) == (503, "overloaded")
            waits.append(asyncio.create_task(ask("standard", plain)))
            await waiting("standard", 1)
            told.set()
            assert {await one for one in [first, *waits]} == {(200, "")}
            assert asked[:2] == ["first", "standard"], "who came last was answered before those of the batch key"
        finally:
            stack.end()


async def test_a_budget_that_is_lowered_below_what_was_lent_is_held_a_moment_later(
    plane: ControlPlane, tmp_path: Path
) -> None:
    project = plane.new_project()
    _, secret = new_key(plane, project)
    budgets = f"/api/v1/projects/{project}/budgets"
    tokens = {"name": "tokens", "unit": "tokens", "window": "lifetime", "hardness": "hard"}

    def state(admin: httpx.Client) -> tuple[float, float]:
        told = admin.get(f"{budgets}/tokens").json()
        return float(told["amount"]), float(told["spent"])

    async with scripted_engine(well) as engine, gateway_of(plane, tmp_path / "gw-lowered") as gateway:
        put(plane, model_deployment("chat", project))
        put(plane, endpoint_set("chat", engine.address, namespace=project))
        with plane.client() as admin:
            made = admin.post(budgets, json={**tokens, "amount": "1000000"})
            assert made.status_code == 201, made.text
            await until(lambda: gateway.why_not_ready() is None and (project, "chat") in gateway.table, 60)
            await until(lambda: any_ready(gateway, project), 60)
            assert await status_of(gateway, secret) == 200
            await until(lambda: state(admin)[1] > 0, 20, every=0.05)
            account = gateway.accounting.leases.account(made.json()["id"])
            assert account.credit > 10_000, "the gateway was lent more than it will be left"
            lowered = admin.patch(f"{budgets}/tokens", json={"amount": str(int(state(admin)[1]))})
            assert lowered.status_code == 200, lowered.text
            async with asyncio.timeout(5):
                while await status_of(gateway, secret) != 429:  # noqa: ASYNC110 - the feed tells nobody
                    await asyncio.sleep(0.05)
            asked = len(engine.exchanges)
            assert await status_of(gateway, secret) == 429
            assert len(engine.exchanges) == asked, "it spends nothing more of what it was lent"


async def test_deleted_deployments_are_forgotten(plane: ControlPlane, tmp_path: Path) -> None:
    project = plane.new_project()
    deployment = model_deployment("chat", project)
    put(plane, deployment)
    async with gateway_of(plane, tmp_path / "gw-delete") as gateway:
        await until(lambda: (project, "chat") in gateway.table)
        drop(plane, deployment)
        await until(lambda: (project, "chat") not in gateway.table)


def keeps(file: Path, *words: str) -> bool:
    """It is on disk, and has all of these."""
    return file.exists() and all(word in file.read_text() for word in words)


async def test_a_gateway_restarts_and_serves_while_the_control_plane_is_away(
    plane: ControlPlane, tmp_path: Path
) -> None:
    project = plane.new_project()
    key_id, secret = new_key(plane, project)
    async with scripted_engine(well) as engine:
        put(plane, model_deployment("chat", project))
        put(plane, endpoint_set("chat", engine.address, namespace=project))
        folder = tmp_path / "gateway"
        async with gateway_of(plane, folder) as gateway:
            await until(lambda: gateway.why_not_ready() is None, 60)
            await until(lambda: keeps(folder / "objects.json", project, str(engine.address[1])), 60)
            await until(lambda: keeps(folder / "access.json", key_id.removeprefix("key_")), 60)
        plane.kill()
        async with gateway_of(plane, folder) as gateway:
            assert gateway.why_not_ready() is None
            assert await status_of(gateway, secret) == 200
            plane.start()
            await until(lambda: gateway.accounting.shipper.shipped == 1, 20)
