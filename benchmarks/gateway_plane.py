"""Whom does the measured gateway ask? A control plane that knows one organization and answers at once, in a thread.

It takes usage, leases credit and follows nothing: the gateway pays for its side of that, the benchmark for little more.
"""

import asyncio
import hashlib
import hmac
import itertools
import os
import random
import string
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web
from mizzen_crds.access import (
    AccessSnapshot,
    BudgetAccess,
    KeyAccess,
    LeaseGrant,
    LeaseRequest,
    LimitAccess,
    LimitMetric,
    Price,
    ProjectAccess,
    Scope,
)
from mizzen_crds.access_signature import snapshot_line

PEPPER = "pepper-of-the-benchmark"
ORGANIZATION, PROJECT, OTHER = "org_bench", "prj_bench", "prj_other"
BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
PICO = 10**12
HEARTBEAT_SECONDS = 1.0
LEAST_PRIORITY = 19


@dataclass(frozen=True)
class Key:
    """A key as a caller holds it, and what is known of it."""

    text: str
    access: KeyAccess


def make_keys(count: int, seed: int) -> list[Key]:
    """Keys of the project, the same ones for the same seed."""
    chance, found = random.Random(seed), []
    for _ in range(count):
        name = "".join(chance.choices(BASE32, k=20))
        secret = "".join(chance.choices(string.ascii_letters + string.digits, k=43))
        digest = hmac.new(PEPPER.encode(), secret.encode(), hashlib.sha256).hexdigest()
        found.append(Key(f"mzk_{name}_{secret}", KeyAccess(id=f"key_{name}", digest=digest, project_id=PROJECT)))
    return found


def six_limits(first: Key) -> list[LimitAccess]:
    """Requests and tokens a minute of the organization, the project and a key; none is ever reached."""
    scopes = ((Scope.ORGANIZATION, ORGANIZATION), (Scope.PROJECT, PROJECT), (Scope.KEY, first.access.id))
    return [
        LimitAccess(
            id=f"lim_{scope.value}_{metric.value}",
            name=f"{metric.value}-of-{scope.value}",
            scope=scope,
            scope_id=scope_id,
            metric=metric,
            amount=10**9 + index,
            window_seconds=60,
        )
        for index, (scope, scope_id) in enumerate(scopes)
        for metric in (LimitMetric.REQUESTS, LimitMetric.TOKENS)
    ]


def snapshot_of(keys: list[Key]) -> AccessSnapshot:
    """Everything on: six limits that match the first key, a budget that is reserved from, a price by the token."""
    now = datetime.now(UTC)
    budget = BudgetAccess(
        id="bud_bench",
        name="month",
        scope=Scope.PROJECT,
        scope_id=PROJECT,
        amount_pico=10**9 * PICO,
        period_start=now - timedelta(days=1),
        period_end=now + timedelta(days=29),
    )
    prices = [Price(rate_card_id="rcv_bench", model="*", pico_per_input_token=150_000, pico_per_output_token=600_000)]
    projects = [(PROJECT, "default"), (OTHER, "other")]
    return AccessSnapshot(
        version=1,
        organization_id=ORGANIZATION,
        currency="EUR",
        projects=[ProjectAccess(id=known, name=name, namespace=name) for known, name in projects],
        keys=[key.access for key in keys],
        limits=six_limits(keys[0]),
        budgets=[budget],
        prices=prices,
    )


def deployment(name: str, namespace: str = "default") -> dict[str, Any]:
    """A ModelDeployment as the store has it."""
    return {
        "apiVersion": "mizzen.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"model": {"uri": "pvc://models/x"}, "engine": {"type": "vLLM"}},
    }


def endpoint_set(name: str, protocol: str, port: int, engine_model: str, namespace: str = "default") -> dict[str, Any]:
    """Its EndpointSet: one ready pod."""
    endpoint = {"pod": f"{name}-0", "revision": "r1", "address": "127.0.0.1", "port": port, "ready": True}
    spec = {
        "protocol": protocol,
        "engine": "vLLM" if protocol == "OpenAI" else "Triton",
        "modelName": engine_model,
        "endpoints": [endpoint],
        "traffic": {"r1": 100},
    }
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "mizzen.dev/v1alpha1", "kind": "EndpointSet", "metadata": metadata, "spec": spec}


class ControlPlaneDouble:
    """Answers what a gateway asks of the control plane and of the operator."""

    def __init__(self, snapshot: AccessSnapshot, objects: list[dict[str, Any]]) -> None:
        self._line = snapshot_line(PEPPER.encode(), snapshot)
        self._objects = objects
        self._began = datetime.now(UTC)
        self._answers = itertools.count(1)
        self.rows = 0
        """Usage rows that were taken."""
        self.port = 0

    def routes(self) -> web.Application:
        """What it answers."""
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_get("/internal/v1/access/watch", self._access)
        app.router.add_post("/internal/v1/usage/events", self._usage)
        app.router.add_post("/internal/v1/budget-leases", self._lease)
        app.router.add_get("/internal/v1/objects/{kind}", self._list)
        app.router.add_get("/internal/v1/objects:watch", self._watch)
        app.router.add_post("/v1/load", self._load)
        return app

    async def _access(self, request: web.Request) -> web.StreamResponse:
        first = b"" if request.query.get("after") == "1" else self._line  # who has it is not sent it again
        return await self._feed(request, first, b'{"type":"HEARTBEAT","version":1}\n')

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        return await self._feed(request, b"", b'{"type":"HEARTBEAT","resource_version":"1"}\n')

    async def _feed(self, request: web.Request, first: bytes, heartbeat: bytes) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(first or heartbeat)
        try:
            while True:
                await asyncio.sleep(HEARTBEAT_SECONDS)
                await response.write(heartbeat)
        except ConnectionError:
            return response

    async def _usage(self, request: web.Request) -> web.Response:
        count = (await request.read()).count(b'"request_id"')
        self.rows += count
        return web.json_response({"accepted": count, "duplicates": 0, "refused": []})

    async def _lease(self, request: web.Request) -> web.Response:
        asked, now = LeaseRequest.model_validate_json(await request.read()), datetime.now(UTC)
        grant = LeaseGrant(
            budget_id=asked.budget_id,
            credit_pico=asked.want_pico,
            remaining_pico=10**9 * PICO,
            period_start=self._began - timedelta(days=1),
            period_end=self._began + timedelta(days=29),
            expires_at=now + timedelta(minutes=1),
            sequence=next(self._answers),
        )
        return web.Response(body=grant.model_dump_json().encode(), content_type="application/json")

    async def _list(self, request: web.Request) -> web.Response:
        items = [one for one in self._objects if one["kind"] == request.match_info["kind"]]
        return web.json_response({"resource_version": "1", "items": items})

    async def _load(self, request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=204)


@contextmanager
def control_plane(snapshot: AccessSnapshot, objects: list[dict[str, Any]]) -> Iterator[ControlPlaneDouble]:
    """Answers until the end of the block."""
    plane, listening, stop = ControlPlaneDouble(snapshot, objects), threading.Event(), threading.Event()

    async def serve() -> None:
        # A batch of rows keeps it busy for milliseconds, on the core of generator and engine: those go first.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LEAST_PRIORITY)
        runner = web.AppRunner(plane.routes(), access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        plane.port = runner.addresses[0][1]
        listening.set()
        await asyncio.to_thread(stop.wait)
        await runner.cleanup()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    if not listening.wait(30):
        raise RuntimeError("the control plane of the benchmark does not listen after 30 s; see the error above")
    try:
        yield plane
    finally:
        stop.set()
        thread.join()
