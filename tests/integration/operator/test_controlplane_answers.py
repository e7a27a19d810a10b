"""What one question to the control plane gets says nothing of other questions; silence and its own trouble do."""

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from mizzen_operator.reconcile.controlplane import ControlPlane, ControlPlaneAwayError


async def served(status: int) -> TestServer:
    """A server that answers `/broken` with a status, and everything else well."""

    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"title": "as told"}, status=status if request.path == "/broken" else 200)

    app = web.Application()
    app.router.add_get("/{anything}", answer)
    server = TestServer(app)
    await server.start_server()
    return server


async def test_an_answer_that_one_question_has_not_silences_no_other() -> None:
    server = await served(404)
    plane = ControlPlane(str(server.make_url("")).rstrip("/"), None)
    try:
        assert (await plane.get("broken", {}))[0] == 404
        assert (await plane.get("fine", {}))[0] == 200
    finally:
        await plane.close()
        await server.close()


async def test_a_server_in_trouble_is_left_alone_for_a_while() -> None:
    server = await served(503)
    plane = ControlPlane(str(server.make_url("")).rstrip("/"), None)
    try:
        for path in ("broken", "fine"):
            with pytest.raises(ControlPlaneAwayError, match="answered 503"):
                await plane.get(path, {})
    finally:
        await plane.close()
        await server.close()
