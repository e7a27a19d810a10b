"""How is the simulated engine reached? By OpenAI's routes, /health and /metrics; a caller that leaves is forgotten."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
from aiohttp import web

from mizzen_engines.simulated import answers, requests
from mizzen_engines.simulated.answers import Envelope, PlannedAnswer
from mizzen_engines.simulated.batching import Batcher, QueueFullError, Sequence
from mizzen_engines.simulated.faults import Fault, asked_for, before_token
from mizzen_engines.simulated.metrics import EngineMetrics
from mizzen_engines.simulated.requests import Asked, BadRequestError
from mizzen_engines.simulated.settings import Settings
from mizzen_engines.simulated.text import as_base64, count_tokens, embedding

MAX_BODY_BYTES = 64 * 1024 * 1024
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class SimulatedEngine:
    """One engine and its routes."""

    def __init__(self, settings: Settings, model: str) -> None:
        self._settings = settings
        self._model = model
        self._metrics = EngineMetrics(model)
        self._batcher = Batcher(settings, self._metrics)
        self._ready_at = time.monotonic() + settings.startup_seconds

    def application(self) -> web.Application:
        """The aiohttp application. Run it with `handler_cancellation`, so that a caller that leaves frees its place."""
        app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[_errors_as_json])
        app.router.add_get("/health", self.health)
        app.router.add_get("/metrics", self.metrics)
        app.router.add_get("/v1/models", self.models)
        app.router.add_post("/v1/chat/completions", self.chat)
        app.router.add_post("/v1/completions", self.completions)
        app.router.add_post("/v1/embeddings", self.embeddings)
        app.cleanup_ctx.append(self._stepping)
        return app

    async def _stepping(self, _: web.Application) -> AsyncIterator[None]:
        loop = asyncio.create_task(self._batcher.run())
        yield
        loop.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await loop

    async def health(self, _: web.Request) -> web.Response:
        """200 once the start-up time is over."""
        return web.Response(status=200 if time.monotonic() >= self._ready_at else 503)

    async def metrics(self, _: web.Request) -> web.Response:
        """vLLM's metrics."""
        return web.Response(body=self._metrics.text(), headers={"content-type": "text/plain; version=0.0.4"})

    async def models(self, _: web.Request) -> web.Response:
        """The one model; its owner says that it is simulated."""
        model = {
            "id": self._model,
            "object": "model",
            "created": 0,
            "owned_by": "mizzen-simulated",
            "max_model_len": self._settings.max_model_len,
        }
        return _json({"object": "list", "data": [model]})

    async def chat(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/chat/completions."""
        body = await self._body(request)
        return await self._answer(request, body, requests.chat(body, self._settings), "chat.completion")

    async def completions(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/completions."""
        body = await self._body(request)
        return await self._answer(request, body, requests.completion(body, self._settings), "text_completion")

    async def embeddings(self, request: web.Request) -> web.Response:
        """POST /v1/embeddings: unit vectors that depend on the text alone."""
        body = await self._body(request)
        texts = requests.embedding_inputs(body)
        fault = asked_for(request, body, self._settings.faults)
        _refuse_if_asked(fault)
        await before_token(fault, 0)
        size = body.get("dimensions") if isinstance(body.get("dimensions"), int) else self._settings.embedding_size
        vectors = [embedding(self._settings.seed, text, int(size or 1)) for text in texts]
        tokens = sum(max(1, count_tokens(text)) for text in texts)
        await asyncio.sleep(tokens / self._settings.prefill_tokens_per_second)
        self._metrics.prompt_tokens.inc(tokens)
        as_text = body.get("encoding_format") == "base64"
        data = [
            {"object": "embedding", "index": index, "embedding": as_base64(vector) if as_text else vector}
            for index, vector in enumerate(vectors)
        ]
        counted = {"prompt_tokens": tokens, "total_tokens": tokens}
        return _json({"object": "list", "data": data, "model": self._model, "usage": counted})

    async def _body(self, request: web.Request) -> dict[str, Any]:
        try:
            body = orjson.loads(await request.read())
        except orjson.JSONDecodeError as error:
            raise BadRequestError(f"the body is not JSON: {error}") from error
        if not isinstance(body, dict):
            raise BadRequestError("the body must be a JSON object")
        if body.get("model") != self._model:
            raise BadRequestError(f"The model `{body.get('model')}` does not exist.", "model", 404)
        return body

    async def _answer(self, request: web.Request, body: dict[str, Any], asked: Asked, kind: str) -> web.StreamResponse:
        fault = asked_for(request, body, self._settings.faults)
        _refuse_if_asked(fault)
        room = self._settings.max_model_len - asked.prompt_tokens
        planned = [answers.plan(self._settings.seed, asked, index, room) for index in range(asked.choices)]
        running = [Sequence(asked.prompt_tokens, len(answer.pieces)) for answer in planned]
        head = answers.envelope(kind, self._model)
        try:
            for sequence in running:
                self._submit(sequence)
            if asked.stream:
                return await self._stream(request, head, asked, list(zip(planned, running, strict=True)), fault)
            for sequence in running:
                await _all_tokens(sequence, fault)
        finally:
            for sequence in running:
                self._batcher.cancel(sequence)
        choices = [answers.whole_choice(head, index, answer) for index, answer in enumerate(planned)]
        return _json(answers.body(head, choices, _usage(asked, planned), streamed=False))

    def _submit(self, sequence: Sequence) -> None:
        try:
            self._batcher.submit(sequence)
        except QueueFullError as error:
            limit = self._settings.queue_limit
            raise BadRequestError(
                f"The queue holds its limit of {limit} requests: try again later", None, 503
            ) from error

    async def _stream(
        self,
        request: web.Request,
        head: Envelope,
        asked: Asked,
        running: list[tuple[PlannedAnswer, Sequence]],
        fault: Fault,
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        await before_token(fault, 0)
        await running[0][1].token.acquire()  # no byte before the first token, as engines do
        await response.prepare(request)
        running[0][1].token.release()
        if head.is_chat:
            for index in range(len(running)):
                await response.write(_event(answers.body(head, [answers.first_choice(index)], None, streamed=True)))
        for index, (answer, sequence) in enumerate(running):
            for number in range(len(answer.pieces)):
                await before_token(fault, number)
                await sequence.token.acquire()
                choice = answers.piece_choice(head, index, answer, number)
                await response.write(_event(answers.body(head, [choice], None, streamed=True)))
        if asked.include_usage:
            tokens = _usage(asked, [answer for answer, _ in running])
            await response.write(_event(answers.body(head, [], tokens, streamed=True)))
        await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        return response


async def _all_tokens(sequence: Sequence, fault: Fault) -> None:
    for number in range(sequence.wanted_tokens):
        await before_token(fault, number)
        await sequence.token.acquire()


def _usage(asked: Asked, planned: list[PlannedAnswer]) -> dict[str, int]:
    return answers.usage(asked.prompt_tokens, sum(len(answer.pieces) for answer in planned))


def _refuse_if_asked(fault: Fault) -> None:
    if fault.kind == "error":
        raise BadRequestError("simulated fault", None, fault.number)


def _event(body: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(body) + b"\n\n"


def _json(body: dict[str, Any], status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(body), content_type="application/json")


@web.middleware
async def _errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except BadRequestError as error:
        kind = {400: "BadRequestError", 404: "NotFoundError"}.get(error.status, "InternalServerError")
        body = {"message": str(error), "type": kind, "param": error.field, "code": error.status}
        return _json({"error": body}, error.status)
