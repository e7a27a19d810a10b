"""A database whose connections are all busy is a 503 that says when to repeat, and no traceback."""

import httpx
from fastapi import FastAPI, Request
from mizzen_controlplane.kit.problem import Problem
from mizzen_controlplane.kit.rendering import install
from sqlalchemy.exc import TimeoutError as PoolTimeout


async def test_a_request_that_got_no_connection_is_told_to_repeat() -> None:
    app = FastAPI()

    async def refused(_request: Request, _problem: Problem) -> None:
        """Nobody counts here."""

    install(app, refused)

    @app.post("/busy")
    async def busy() -> None:
        raise PoolTimeout("QueuePool limit of size 8 overflow 8 reached")

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://plane") as client:
        answer = await client.post("/busy")
    assert (answer.status_code, answer.json()["code"]) == (503, "database_busy")
    assert answer.headers["retry-after"] == "2"
    assert "QueuePool" not in answer.text
