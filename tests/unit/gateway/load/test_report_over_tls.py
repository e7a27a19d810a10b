"""Load goes to the operator that the gateway was told to trust, and to nobody who only has its address."""

import asyncio
import ssl

import aiohttp
import pytest
import trustme
from aiohttp import web
from mizzen_gateway.load.report import LoadReporter
from mizzen_gateway.routing.load import LoadBook
from structlog.testing import capture_logs
from support.until import until


@pytest.mark.parametrize("trusted", [True, False])
async def test_a_report_reaches_only_whom_the_gateway_trusts(trusted: bool) -> None:
    authority, reports = trustme.CA(), []

    async def take(request: web.Request) -> web.Response:
        reports.append(await request.read())
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/v1/load", take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    speaking = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(speaking)
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=speaking).start()
    trust = ssl.create_default_context()
    (authority if trusted else trustme.CA()).configure_trust(trust)
    with capture_logs() as said:
        async with aiohttp.ClientSession() as session:
            url = f"https://127.0.0.1:{runner.addresses[0][1]}"
            task = asyncio.create_task(LoadReporter(session, url, "gw-a", LoadBook(), trust).run())
            await until(lambda: bool(reports) or any(one["log_level"] == "warning" for one in said))
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    await runner.cleanup()
    assert bool(reports) is trusted
    assert [one["error"] for one in said] == ([] if trusted else ["ClientConnectorCertificateError"])
