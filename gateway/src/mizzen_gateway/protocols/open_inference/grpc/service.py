"""Every method of the service inference.GRPCInferenceService: offered, or refused by name."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn, Protocol, TypeAlias, TypeVar, cast

import grpc
import orjson
import structlog

from mizzen_gateway.protocols.open_inference.grpc.call import GrpcInferCall, parse, version_fits
from mizzen_gateway.protocols.open_inference.grpc.fields import MalformedMessageError
from mizzen_gateway.protocols.open_inference.grpc.hanging_up import hang_up
from mizzen_gateway.protocols.open_inference.grpc.held import HeldResponder
from mizzen_gateway.protocols.open_inference.grpc.intake import NOTHING, Context, Intake, Streams, header_bytes
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
SERVICES = frozenset({"", "inference.GRPCInferenceService"})
"""Whose health may be asked for; the first is that of all."""
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
UNKNOWN = Refusal(404, "unknown_path", "Call: nothing is here; the service is inference.GRPCInferenceService.")
LEFT = 499
BROKEN_OFF = Refusal(
    LEFT, "message_broken_off", "Message: it did not come whole; its caller left, or it is larger than it may be."
)
"""The library tells its caller which; nobody tells us."""
GONE_SECONDS = 0.3
"""A call that has ended without a message, and is cancelled within, did not end by itself."""
STREAMED, CHECK = "grpc ModelStreamInfer", "grpc Check"
LAST_WORD_SECONDS = 5.0
"""For it to get through to a caller that may take nothing; then its connection is closed."""
log = structlog.get_logger(__name__)
Messages = AsyncIterator[bytes]
Answer = TypeVar("Answer")
Method: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class Serves(Protocol):
    """The pipeline, as far as calls need it that do not come over HTTP."""

    @property
    def ready(self) -> bool:
        """Keys can be told apart."""
        ...

    def caller_of(self, headers: Headers, peer: Callable[[], str]) -> Caller | Refusal:
        """Whose key it is, and whether it may be used from there."""
        ...

    async def describe(self, route: Route, caller: Caller, headers: Headers, template: str) -> bytes | Refusal:
        """The body that HTTP would answer."""
        ...

    async def serve(
        self, call: GrpcInferCall, caller: Caller, headers: Headers, responder: HeldResponder, template: str
    ) -> Refusal | None:
        """Key to settlement."""
        ...

    def over(
        self, template: str, headers: Headers, refusal: Refusal | None, caller: Caller | None = None, model: str = ""
    ) -> None:
        """Tell of one that got no further, or wanted no more than was known."""
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
            SERVICE + name: grpc.stream_unary_rpc_method_handler(letting_go(one)) for name, one in answered.items()
        }
        self._nowhere: Method = grpc.stream_unary_rpc_method_handler(letting_go(self._unknown))
        self._methods[HEALTH] = grpc.stream_unary_rpc_method_handler(letting_go(self._health))
        self._methods[SERVICE + "ModelStreamInfer"] = grpc.stream_stream_rpc_method_handler(letting_go(self._stream))

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "Method | None":
        """For grpc."""
        return self._methods.get(handler_call_details.method, self._nowhere)

    def cut(self) -> None:
        """The time of a drain is over: whoever waits for an answer is told so."""
        for task in self._under_way:
            task.cancel(CUT)

    # Without a key, as over HTTP. What such a call may send is not read.

    async def _live(self, _messages: Messages, context: Context) -> bytes:
        self._told(context, "grpc ServerLive")
        return truth(True)

    async def _ready(self, _messages: Messages, context: Context) -> bytes:
        self._told(context, "grpc ServerReady")
        return truth(self._serves.ready)

    async def _health(self, _messages: Messages, context: Context) -> bytes:
        """With a key the name is read, as any message; without one it is the health of the gateway."""
        headers = headers_of(context)
        caller = self._serves.caller_of(headers, context.peer)
        if isinstance(caller, Refusal):
            self._told(context, CHECK)
        else:
            name, _ = await self._read_name(context, headers, caller, CHECK)
            if name not in SERVICES:
                message = f"Service '{name[:100]}': not known; ask for 'inference.GRPCInferenceService', or for ''."
                await self._refuse(context, headers, Refusal(404, "unknown_path", message), CHECK, caller)
            self._serves.over(CHECK, headers, None, caller)
        return SERVING if self._serves.ready else NOT_SERVING

    async def _unknown(self, _messages: Messages, context: Context) -> bytes:
        headers = headers_of(context)
        found = self._serves.caller_of(headers, context.peer)
        self._unfinished.beside(context.peer())
        await self._refuse(context, headers, UNKNOWN, "grpc", None if isinstance(found, Refusal) else found)

    def _told(self, context: Context, template: str) -> None:
        self._unfinished.beside(context.peer())
        self._serves.over(template, headers_of(context), None)

    # With one.

    async def _server_metadata(self, _messages: Messages, context: Context) -> bytes:
        template = "grpc ServerMetadata"
        headers, caller = await self._caller(context, template)
        self._unfinished.beside(context.peer())
        found = await self._serves.describe(Route("server.metadata", "grpc"), caller, headers, template)
        return server_metadata(orjson.loads(await self._fit(found, context)))

    async def _model_metadata(self, _messages: Messages, context: Context) -> bytes:
        template = "grpc ModelMetadata"
        headers, caller = await self._caller(context, template)
        name, version = await self._named(context, headers, caller, template)
        found = await self._serves.describe(Route("model.metadata", "grpc", name, version), caller, headers, template)
        return model_metadata(orjson.loads(await self._fit(found, context)))

    async def _model_ready(self, _messages: Messages, context: Context) -> bytes:
        template = "grpc ModelReady"
        headers, caller = await self._caller(context, template)
        name, version = await self._named(context, headers, caller, template)
        found = await self._serves.describe(Route("model.ready", "grpc", name, version), caller, headers, template)
        return truth(not isinstance(found, Refusal))

    async def _infer(self, _messages: Messages, context: Context) -> bytes:
        headers, caller = await self._caller(context, "grpc ModelInfer")
        message = await self._message(context, headers, caller, "grpc ModelInfer")
        responder = HeldResponder()
        refusal = await self._answered(parse(message, GrpcInferCall), caller, headers, "grpc ModelInfer", responder)
        if refusal is not None:
            await self._abort(context, refusal)
        context.set_trailing_metadata(responder.headers)
        return responder.body

    async def _stream(self, _messages: Messages, context: Context) -> None:
        """Each request with a key, limits and a row of its own. Nothing is read without a key and room for one more."""
        headers, caller = await self._caller(context, STREAMED)
        refusal = self._streams.enter(caller.key_id)
        if refusal is not None:
            await self._refuse(context, headers, refusal, STREAMED, caller)

        async def answer(call: GrpcInferCall | Refusal, turn: Turn) -> Refusal | None:
            # Each time: a key may be revoked meanwhile.
            now = self._serves.caller_of(headers, context.peer)
            if isinstance(now, Refusal):
                return now
            return await self._answered(call, now, headers, STREAMED, turn)

        turns, task = Turns(answer), cast("asyncio.Task[Any]", asyncio.current_task())
        why: Refusal | None = None

        def end(refusal: Refusal) -> None:
            nonlocal why
            if why is None:
                why = refusal
                task.cancel()

        connection = self._unfinished.connection(context.peer())
        self._unfinished.beside(context.peer(), header_bytes(context))
        reader = self._unfinished.reader(connection, caller.key_id, end)
        reading = asyncio.create_task(self._read(context, headers, turns, reader))
        try:
            await self._write(turns, context, partial(self._refuse, context, headers, caller=caller), end)
        except asyncio.CancelledError:
            if why is None or task.uncancel():
                raise
            reading.cancel()
            await turns.leave()
            await self._dismiss(context, headers, why, caller)
        finally:
            self._streams.leave(caller.key_id)
            reading.cancel()
            self._unfinished.over(reader)
            await turns.leave()

    async def _write(
        self, turns: Turns, context: Context, refuse: Callable[..., Awaitable[NoReturn]], end: Callable[[Refusal], None]
    ) -> None:
        """What a stream is answered with, as its caller takes it."""
        loop = asyncio.get_running_loop()
        async for message in turns.answers():
            if isinstance(message, Refusal):
                await refuse(message, STREAMED)
            stalled = loop.call_later(self._stall_seconds, end, STALLED)
            try:
                await context.write(message)
            finally:
                stalled.cancel()

    async def _dismiss(self, context: Context, headers: Headers, refusal: Refusal, caller: Caller) -> None:
        """End a stream whose caller may take nothing of what was written before that."""
        with suppress(TimeoutError, grpc.aio.InternalError):  # behind what is being written
            async with asyncio.timeout(LAST_WORD_SECONDS):
                await self._refuse(context, headers, refusal, STREAMED, caller)
        if hang_up(context.peer(), self.port):
            log.warning("a caller of gRPC that takes nothing was hung up on", code=refusal.code)

    async def _read(self, context: Context, headers: Headers, turns: Turns, reader: Reader) -> None:
        """Begin what a stream asks for. Without a key, or with one that was revoked meanwhile, it ends."""
        why: Refusal | None = None
        try:
            # To iterate over the messages would leave a generator and the call that know each other.
            while isinstance(message := await context.read(), bytes):
                self._unfinished.came(reader, len(message))
                caller = self._serves.caller_of(headers, context.peer)
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
            self._serves.over(template, headers, call, caller)
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
            headers, caller = await self._caller(context, "grpc " + name)
            self._unfinished.beside(context.peer())
            refusal = Refusal(403, "not_offered", f"Call {name}: not offered here, because {why}.")
            await self._refuse(context, headers, refusal, "grpc " + name, caller)

        return refuse

    async def _message(self, context: Context, headers: Headers, caller: Caller, template: str) -> bytes:
        found = await self._intake.message(context, caller.key_id)
        if found is NOTHING:
            try:
                await asyncio.sleep(GONE_SECONDS)
            except asyncio.CancelledError:
                self._serves.over(template, headers, BROKEN_OFF, caller)
                raise
        if isinstance(found, Refusal):
            await self._refuse(context, headers, found, template, caller)
        return found

    async def _fit(self, found: bytes | Refusal, context: Context) -> bytes:
        if isinstance(found, Refusal):
            await self._abort(context, found)
        return found

    async def _named(self, context: Context, headers: Headers, caller: Caller, template: str) -> tuple[str, str | None]:
        name, version = await self._read_name(context, headers, caller, template)
        if not version_fits(version):
            missing = Refusal(404, "version_not_found", f"Version '{version[:20]}': must be a number.")
            await self._refuse(context, headers, missing, template, caller, name)
        return name, version or None

    async def _read_name(self, context: Context, headers: Headers, caller: Caller, template: str) -> tuple[str, str]:
        message = await self._message(context, headers, caller, template)
        try:
            return read_name(memoryview(message))
        except MalformedMessageError as error:
            unread = Refusal(400, "invalid_message", f"Message: cannot be read ({error}).")
            await self._refuse(context, headers, unread, template, caller)

    async def _caller(self, context: Context, template: str) -> tuple[Headers, Caller]:
        headers = headers_of(context)
        found = self._serves.caller_of(headers, context.peer)
        if isinstance(found, Refusal):
            self._unfinished.beside(context.peer())
            await self._refuse(context, headers, found, template)
        return headers, found

    async def _refuse(
        self,
        context: Context,
        headers: Headers,
        refusal: Refusal,
        template: str,
        caller: Caller | None = None,
        model: str = "",
    ) -> NoReturn:
        self._serves.over(template, headers, refusal, caller, model)
        await self._abort(context, refusal)

    async def _abort(self, context: Context, refusal: Refusal) -> NoReturn:
        code = CODES.get(refusal.status, grpc.StatusCode.INTERNAL)
        if refusal is UNKNOWN:
            code = grpc.StatusCode.UNIMPLEMENTED
        trailing: HeaderList = (("x-error-code", refusal.code), *refusal.headers)
        await context.abort(code, refusal.message, trailing)


def letting_go(method: Callable[[Messages, Context], Awaitable[Answer]]) -> Callable[..., Awaitable[Answer | bytes]]:
    """A call that is aborted keeps its exception: with the frames that it went through, which know the call and what
    was sent, that would wait for the collector. The library raises it itself once this returns."""

    async def handle(messages: Messages, context: Context) -> Answer | bytes:
        try:
            return await method(messages, context)
        except grpc.aio.AbortError as aborted:
            aborted.__traceback__ = aborted.__context__ = None
            return b""

    return handle


def headers_of(context: Context) -> Headers:
    """Metadata as headers; what comes twice is joined, as in HTTP."""
    found: dict[bytes, bytes] = {}
    for name, value in context.invocation_metadata() or ():
        key, held = name.encode(), value.encode() if isinstance(value, str) else value
        found[key] = found[key] + b", " + held if key in found else held
    return found
