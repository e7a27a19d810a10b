"""How is the simulated engine reached? By OpenAI's routes, /health and /metrics; a caller that leaves is forgotten."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
from aiohttp import web

from mizzen_engines.simulated import answers, media, pooling, requests
from mizzen_engines.simulated.answers import Envelope, PlannedAnswer
from mizzen_engines.simulated.batching import Batcher, QueueFullError, Sequence
from mizzen_engines.simulated.faults import Fault, asked_for, before_token
from mizzen_engines.simulated.metrics import EngineMetrics
from mizzen_engines.simulated.requests import Asked, BadRequestError
from mizzen_engines.simulated.responses import ResponseBody, as_chat
from mizzen_engines.simulated.settings import Settings
from mizzen_engines.simulated.text import as_base64, count_tokens, embedding

MAX_BODY_BYTES = 64 * 1024 * 1024
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
ReadOnly = Callable[[int, str, dict[str, Any]], tuple[dict[str, Any], int]]


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
        app.router.add_get("/openapi.json", self.description)
        app.router.add_get("/v1/models", self.models)
        for path, handler in self._offered().items():
            app.router.add_post(path, handler)
        app.cleanup_ctx.append(self._stepping)
        return app

    def _offered(self) -> dict[str, Handler]:
        paths: dict[str, Handler] = {
            "/v1/chat/completions": self.chat,
            "/v1/completions": self.completions,
            "/v1/responses": self.responses,
            "/v1/embeddings": self.embeddings,
            "/v1/rerank": self.rerank,
            "/v1/score": self.score,
            "/classify": self.classify,
            "/v1/audio/transcriptions": self.transcriptions,
            "/v1/images/generations": self.images,
        }
        lacking = set(self._settings.lacks.split(","))
        return {path: handler for path, handler in paths.items() if path not in lacking}

    async def description(self, _: web.Request) -> web.Response:
        """OpenAPI's list of paths, as far as it goes."""
        return _json({"openapi": "3.1.0", "paths": {path: {"post": {}} for path in self._offered()}})

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

    async def rerank(self, request: web.Request) -> web.Response:
        """POST /v1/rerank."""
        return await self._read_only(request, pooling.rerank)

    async def score(self, request: web.Request) -> web.Response:
        """POST /v1/score."""
        return await self._read_only(request, pooling.score)

    async def classify(self, request: web.Request) -> web.Response:
        """POST /classify."""
        return await self._read_only(request, pooling.classify)

    async def _read_only(self, request: web.Request, made: ReadOnly) -> web.Response:
        body = await self._body(request)
        fault = asked_for(request, body, self._settings.faults)
        _refuse_if_asked(fault)
        await before_token(fault, 0)
        answer, tokens = made(self._settings.seed, self._model, body)
        await asyncio.sleep(tokens / self._settings.prefill_tokens_per_second)
        self._metrics.prompt_tokens.inc(tokens)
        return _json(answer)

    async def responses(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/responses, stateless."""
        body = await self._body(request)
        asked = requests.chat(as_chat(body), self._settings)
        fault = asked_for(request, body, self._settings.faults)
        _refuse_if_asked(fault)
        planned = answers.plan(self._settings.seed, asked, 0, self._settings.max_model_len - asked.prompt_tokens)
        running = Sequence(asked.prompt_tokens, len(planned.pieces))
        made = ResponseBody(self._model, asked, planned)
        try:
            self._submit(running)
            if not asked.stream:
                await _all_tokens(running, fault)
                return _json(made.whole())
            return await self._stream_response(request, made, running, fault)
        finally:
            self._batcher.cancel(running)

    async def _stream_response(
        self, request: web.Request, made: ResponseBody, running: Sequence, fault: Fault
    ) -> web.StreamResponse:
        stream = _event_stream()
        await before_token(fault, 0)
        await running.token.acquire()  # no byte before the first token, as engines do
        await stream.prepare(request)
        running.token.release()
        for event in made.opening():
            await stream.write(_named_event(event))
        for number in range(running.wanted_tokens):
            await before_token(fault, number)
            await running.token.acquire()
            await stream.write(_named_event(made.piece(number)))
        for event in made.closing():
            await stream.write(_named_event(event))
        await stream.write_eof()
        return stream

    async def transcriptions(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/audio/transcriptions: words by the sound's bytes; nothing of the sound is kept."""
        recording = await media.recording_in(request)
        fields = recording.fields
        self._known(fields.get("model"))
        words = recording.words(self._settings.seed)
        form, text = fields.get("response_format", "json"), "".join(words)
        if fields.get("stream") == "true":
            return await self._stream_words(request, words, fields.get("stream_include_usage") == "true")
        if form == "text":
            return web.Response(text=text)
        usage = {"type": "duration", "seconds": recording.seconds}
        whole = {"language": "en", "duration": float(recording.seconds), "segments": []} if "verbose" in form else {}
        return _json({"text": text, **whole, "usage": usage})

    async def _stream_words(self, request: web.Request, words: list[str], include_usage: bool) -> web.StreamResponse:
        stream = _event_stream()
        await stream.prepare(request)
        head = {"id": "trsc-simulated", "object": "transcription.chunk", "created": 0, "model": self._model}
        for word in words:
            await asyncio.sleep(self._settings.decode_ms / 1000)
            await stream.write(_event({**head, "choices": [{"delta": {"content": word}, "finish_reason": None}]}))
        if include_usage:
            await stream.write(_event({**head, "choices": [], "usage": answers.usage(0, len(words))}))
        await stream.write(b"data: [DONE]\n\n")
        await stream.write_eof()
        return stream

    async def images(self, request: web.Request) -> web.Response:
        """POST /v1/images/generations: grey dots."""
        return _json(media.images(await self._body(request)))

    def _known(self, model: str | None) -> None:
        if model != self._model:
            raise BadRequestError(f"The model `{model}` does not exist.", "model", 404)

    async def _body(self, request: web.Request) -> dict[str, Any]:
        try:
            body = orjson.loads(await request.read())
        except orjson.JSONDecodeError as error:
            raise BadRequestError(f"the body is not JSON: {error}") from error
        if not isinstance(body, dict):
            raise BadRequestError("the body must be a JSON object")
        self._known(body.get("model"))
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
        response = _event_stream()
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


def _event_stream() -> web.StreamResponse:
    return web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})


def _named_event(body: dict[str, Any]) -> bytes:
    return b"event: " + str(body["type"]).encode() + b"\n" + _event(body)


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
