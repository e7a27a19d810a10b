"""Is the operator well, and what does it do? Probes and metrics."""

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def add_administration(
    app: web.Application, registry: CollectorRegistry, ill: Callable[[], str], unready: Callable[[], str]
) -> None:
    """Add the routes. `ill` and `unready` return why, or nothing. Ill means: a restart would help."""

    async def healthz(_: web.Request) -> web.StreamResponse:
        why = ill()
        return web.Response(status=500 if why else 200, text=why or "ok")

    async def readyz(_: web.Request) -> web.StreamResponse:
        why = unready()
        return web.Response(status=503 if why else 200, text=why or "ready")

    async def metrics(_: web.Request) -> web.StreamResponse:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": METRICS_TYPE})

    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
