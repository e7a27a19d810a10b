"""Load reports to a real HTTP server."""

import asyncio

import aiohttp
from aiohttp import web
from mizzen_crds.serving import GatewayLoad
from mizzen_gateway.load.report import LoadReporter
from mizzen_gateway.routing.load import LoadBook
from support.until import until


async def test_load_is_reported_and_at_once_when_a_request_parks():
    reports: list[tuple[GatewayLoad, float]] = []
    loop = asyncio.get_running_loop()

    async def take(request: web.Request) -> web.Response:
        reports.append((GatewayLoad.model_validate_json(await request.read()), loop.time()))
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/v1/load", take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    book = LoadBook()
    book.count(("default", "m"), "r1").requests = 3
    async with aiohttp.ClientSession() as session:
        reporter = LoadReporter(session, f"http://127.0.0.1:{runner.addresses[0][1]}", "gw-a", book)
        task = asyncio.create_task(reporter.run())
        await until(lambda: len(reports) == 1)
        book.count(("default", "m"), "").parked = 1
        book.parked.set()
        await until(lambda: len(reports) == 2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await runner.cleanup()
    first, second = (report for report, _ in reports)
    assert first.gateway == "gw-a"
    assert first.boot_id == second.boot_id
    assert {load.revision: load.requests for load in first.revisions} == {"r1": 3}
    assert {load.revision: load.parked for load in second.revisions} == {"r1": 0, "": 1}
