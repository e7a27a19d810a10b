"""Every method of the service inference.GRPCInferenceService: offered, or refused by name."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any, NoReturn, Protocol, TypeAlias, cast

import grpc
import orjson
import structlog

from mizzen_gateway.protocols.open_inference.grpc.call import GrpcInferCall, parse, version_fits
from mizzen_gateway.protocols.open_inference.grpc.fields import MalformedMessageError
from mizzen_gateway.protocols.open_inference.grpc.hanging_up import hang_up
from mizzen_gateway.protocols.open_inference.grpc.held import HeldResponder
from mizzen_gateway.protocols.open_inference.grpc.intake import Context, Intake, Streams
from mizzen_gateway.protocols.open_inference.grpc.outbox import Turn
from mizzen_gateway.protocols.open_inference.grpc.request import read_name
from mizzen_gateway.protocols.open_inference.grpc.response import (
    model_metadata,
    server_metadata,
    truth,
)
from mizzen_gateway.protocols.open_inference.grpc.stream_call import StreamedCall
from mizzen_gateway.protocols.open_inference.grpc.turns import Turns
from mizzen_gateway.protocols.open_inference.grpc.unfinished import Reader, Unfinished
from mizzen_gateway.protocols.surface import Route
from mizzen_gateway.stages import Caller, Headers, Refusal
from mizzen_gateway.stopping import CUT, STOPPING, is_cut
from mizzen_gateway.wire.response import HeaderList

SERVICE = "/inference.GRPCInferenceService/"
HEALTH = "/grpc.health.v1.Health/Check"
SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"
OTHERS = "show other tenants' requests"
REFUSED = {
    "ModelConfig": "an engine's configuration shows paths inside of it; ModelMetadata has inputs and outputs",
    "ModelStatistics": f"statistics of an engine {OTHERS}; yours are in the gateway's usage",
    "TraceSetting": f"traces of an engine {OTHERS}; use the platform's own",
    "LogSettings": f"logs of an engine {OTHERS}; whoever runs the engine has them",
    **dict.fromkeys(
        ("RepositoryIndex", "RepositoryModelLoad", "RepositoryModelUnload"),
        "the model repository is managed by whoever runs the gateway, and never through it",
    ),
    **dict.fromkeys(
        (f"{kind}SharedMemory{verb}" for kind in ("System", "Cuda") for verb in ("Status", "Register", "Unregister")),
        "shared memory reaches no further than one machine; send tensors in the request",
    ),
}
CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    408: grpc.StatusCode.DEADLINE_EXCEEDED,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    502: grpc.StatusCode.UNAVAILABLE,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
INTERNAL = Refusal(500, "internal_error", "The gateway failed at this call; try again. The cause is in its log.")
STALLED = Refusal(
    408, "request_timeout", "Stream: nothing of its answers was taken for too long; read them as they come."
)
LAST_WORD_SECONDS = 5.0
"""For it to get through to a caller that may take nothing; then its connection is closed."""
log = structlog.get_logger(__name__)
Messages = AsyncIterator[bytes]
Method: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class Serves(Protocol):
    """The pipeline, as far as calls need it that do not come over HTTP."""

    @property
    def ready(self) -> bool:
        """Keys can be told apart."""
        ...

    def caller_of(self, headers: Headers) -> Caller | Refusal:
        """Whose key it is."""
        ...

    async def describe(self, route: Route, caller: Caller) -> bytes | Refusal:
        """The body that HTTP would answer."""
        ...

    async def serve(
        self, call: GrpcInferCall, caller: Caller, headers: Headers, responder: HeldResponder, template: str
    ) -> Refusal | None:
        """Key to settlement."""
        ...

    def refused(self, template: str, refusal: Refusal) -> None:
        """Count one."""
        ...


class InferenceService(grpc.GenericRpcHandler):
    """Messages are bytes on both sides.

    To gRPC calls of one message are streams of one: the bytes are the same, but the message is read when we ask for it.
    """

    def __init__(self, serves: Serves, intake: Intake, unfinished: Unfinished, stall_seconds: float) -> None:
        """`stall_seconds`: how long the caller of a stream may take nothing of its answers."""
        self._serves = serves
        self._intake = intake
        self._unfinished = unfinished
        self._stall_seconds = stall_seconds
        self._streams = Streams()
        self.port = 0
        """Where it listens."""
        self._under_way: set[asyncio.Task[Any]] = set()
        """Requests that are being made."""
        answered: dict[str, Callable[[Messages, Context], Awaitable[bytes]]] = {
            "ServerLive": self._live,
            "ServerReady": self._ready,
            "ServerMetadata": self._server_metadata,
            "ModelReady": self._model_ready,
            "ModelMetadata": self._model_metadata,
            "ModelInfer": self._infer,
            **{name: self._refuses(name, why) for name, why in REFUSED.items()},
        }
        self._methods: dict[str, Method] = {
            SERVICE + name: grpc.stream_unary_rpc_method_handler(one) for name, one in answered.items()
        }
        self._methods[HEALTH] = grpc.stream_unary_rpc_method_handler(self._health)
        self._methods[SERVICE + "ModelStreamInfer"] = grpc.stream_stream_rpc_method_handler(self._stream)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "Method | None":
        """For grpc."""
        return self._methods.get(handler_call_details.method)

    def cut(self) -> None:
        """The time of a drain is over: whoever waits for an answer is told so."""
        for task in self._under_way:
            task.cancel(CUT)

    # Without a key, as over HTTP. What such a call may send is not read.

    async def _live(self, _messages: Messages, context: Context) -> bytes:
        self._unfinished.beside(context.peer())
        return truth(True)

    async def _ready(self, _messages: Messages, context: Context) -> bytes:
        self._unfinished.beside(context.peer())
        return truth(self._serves.ready)

    async def _health(self, _messages: Messages, context: Context) -> bytes:
        self._unfinished.beside(context.peer())
        return SERVING if self._serves.ready else NOT_SERVING

    # With one.

    async def _server_metadata(self, _messages: Messages, context: Context) -> bytes:
        found = await self._described(context, Route("server.metadata", "grpc"))
        return server_metadata(orjson.loads(found))

    async def _model_metadata(self, _messages: Messages, context: Context) -> bytes:
        caller = await self._caller(context, headers_of(context))
        name, version = await self._named(await self._message(context, caller), context)
        found = await self._described(context, Route("model.metadata", "grpc", name, version))
        return model_metadata(orjson.loads(found))

    async def _model_ready(self, _messages: Messages, context: Context) -> bytes:
        caller = await self._caller(context, headers_of(context))
        name, version = await self._named(await self._message(context, caller), context)
        found = await self._serves.describe(Route("model.ready", "grpc", name, version), caller)
        return truth(not isinstance(found, Refusal))

    async def _infer(self, _messages: Messages, context: Context) -> bytes:
        headers = headers_of(context)
        caller = await self._caller(context, headers)
        message = await self._message(context, caller)
        responder = HeldResponder()
        refusal = await self._answered(parse(message, GrpcInferCall), caller, headers, "grpc ModelInfer", responder)
        if refusal is not None:
            await self._abort(context, refusal)
        context.set_trailing_metadata(responder.headers)
        return responder.body

    async def _stream(self, messages: Messages, context: Context) -> None:
        """Each request with a key, limits and a row of its own. Nothing is read without a key and room for one more."""
        headers = headers_of(context)
        caller = await self._caller(context, headers)
        refusal = self._streams.enter(caller.key_id)
        if refusal is not None:
            await self._refuse(context, refusal)

        async def answer(call: GrpcInferCall | Refusal, turn: Turn) -> Refusal | None:
            now = self._serves.caller_of(headers)  # each time: a key may be revoked meanwhile
            if isinstance(now, Refusal):
                return now
            return await self._answered(call, now, headers, "grpc ModelStreamInfer", turn)

        turns, task = Turns(answer), cast("asyncio.Task[Any]", asyncio.current_task())
        why: Refusal | None = None

        def end(refusal: Refusal) -> None:
            nonlocal why
            if why is None:
                why = refusal
                task.cancel()

        reader = self._unfinished.reader(self._unfinished.connection(context.peer()), caller.key_id, end)
        reading = asyncio.create_task(self._read(messages, headers, turns, reader))
        try:
            await self._write(turns, context, end)
        except asyncio.CancelledError:
            if why is None or task.uncancel():
                raise
            reading.cancel()
            await turns.leave()
            await self._dismiss(context, why)
        finally:
            self._streams.leave(caller.key_id)
            reading.cancel()
            self._unfinished.over(reader)
            await turns.leave()

    async def _write(self, turns: Turns, context: Context, end: Callable[[Refusal], None]) -> None:
        """What a stream is answered with, as its caller takes it."""
        loop = asyncio.get_running_loop()
        async for message in turns.answers():
            if isinstance(message, Refusal):
                await self._refuse(context, message)
            stalled = loop.call_later(self._stall_seconds, end, STALLED)
            try:
                await context.write(message)
            finally:
                stalled.cancel()

    async def _dismiss(self, context: Context, refusal: Refusal) -> None:
        """End a stream whose caller may take nothing of what was written before that."""
        with suppress(TimeoutError, grpc.aio.InternalError):  # behind what is being written
            async with asyncio.timeout(LAST_WORD_SECONDS):
                await self._refuse(context, refusal)
        if hang_up(context.peer(), self.port):
            log.warning("a caller of gRPC that takes nothing was hung up on", code=refusal.code)

    async def _read(self, messages: Messages, headers: Headers, turns: Turns, reader: Reader) -> None:
        """Begin what a stream asks for. Without a key, or with one that was revoked meanwhile, it ends."""
        why: Refusal | None = None
        try:
            async for message in messages:
                self._unfinished.came(reader, len(message))
                caller = self._serves.caller_of(headers)
                if isinstance(caller, Refusal):
                    why = caller
                    return
                await turns.add(parse(message, StreamedCall))
        finally:
            turns.end(why)

    async def _answered(
        self,
        call: GrpcInferCall | Refusal,
        caller: Caller,
        headers: Headers,
        template: str,
        responder: HeldResponder,
    ) -> Refusal | None:
        """None where the responder has the answer."""
        if isinstance(call, Refusal):
            self._serves.refused(template, call)
            return call
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._under_way.add(task)
        try:
            return await self._serves.serve(call, caller, headers, responder, template)
        except asyncio.CancelledError as cancelled:
            if not is_cut(cancelled):
                raise
            return STOPPING
        except Exception:  # outermost guard of one call: whatever went wrong, its caller is told
            log.exception("an error of the gateway's own ended a call", call=template)
            return INTERNAL
        finally:
            self._under_way.discard(task)

    def _refuses(self, name: str, why: str) -> Callable[[Messages, Context], Awaitable[bytes]]:
        async def refuse(_messages: Messages, context: Context) -> bytes:
            await self._caller(context, headers_of(context))
            refusal = Refusal(403, "not_offered", f"Call {name}: not offered here, because {why}.")
            self._serves.refused("grpc " + name, refusal)
            await self._abort(context, refusal)

        return refuse

    async def _message(self, context: Context, caller: Caller) -> bytes:
        found = await self._intake.message(context, caller.key_id)
        if isinstance(found, Refusal):
            await self._refuse(context, found)
        return found

    async def _described(self, context: Context, route: Route) -> bytes:
        caller = await self._caller(context, headers_of(context))
        found = await self._serves.describe(route, caller)
        if isinstance(found, Refusal):
            self._serves.refused("grpc " + route.action, found)
            await self._abort(context, found)
        return found

    async def _named(self, message: bytes, context: Context) -> tuple[str, str | None]:
        try:
            name, version = read_name(memoryview(message))
        except MalformedMessageError as error:
            await self._abort(context, Refusal(400, "invalid_message", f"Message: cannot be read ({error})."))
        if not version_fits(version):
            missing = Refusal(404, "version_not_found", f"Version '{version[:20]}': must be a number.")
            await self._abort(context, missing)
        return name, version or None

    async def _caller(self, context: Context, headers: Headers) -> Caller:
        found = self._serves.caller_of(headers)
        if isinstance(found, Refusal):
            self._unfinished.beside(context.peer())
            await self._refuse(context, found)
        return found

    async def _refuse(self, context: Context, refusal: Refusal) -> NoReturn:
        self._serves.refused("grpc", refusal)
        await self._abort(context, refusal)

    async def _abort(self, context: Context, refusal: Refusal) -> NoReturn:
        code = CODES.get(refusal.status, grpc.StatusCode.INTERNAL)
        trailing: HeaderList = (("x-error-code", refusal.code), *refusal.headers)
        await context.abort(code, refusal.message, trailing)


def headers_of(context: Context) -> Headers:
    """Metadata as headers; what comes twice is joined, as in HTTP."""
    found: dict[bytes, bytes] = {}
    for name, value in context.invocation_metadata() or ():
        key, held = name.encode(), value.encode() if isinstance(value, str) else value
        found[key] = found[key] + b", " + held if key in found else held
    return found
