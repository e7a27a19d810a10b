"""What fuzzing calls: each takes any bytes, and fails only where a promise of the gateway is broken.

The first byte says how the rest is cut.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import orjson
from mizzen_gateway.engine.connection import EngineConnection
from mizzen_gateway.engine.exchange import Collected, EngineFailureError, EngineRequest
from mizzen_gateway.protocols.open_inference import call as open_inference
from mizzen_gateway.protocols.openai import call as openai
from mizzen_gateway.protocols.openai.operations import OPERATIONS
from mizzen_gateway.protocols.openai.tail import CHUNKS, EngineSaidError, StreamTail
from mizzen_gateway.stages import Refusal
from mizzen_gateway.wire.limits import WireLimits
from mizzen_gateway.wire.parser import RequestParser
from mizzen_gateway.wire.request import BadRequestError, Request
from support.fuzz_answers import answer_seeds, answers, told, told_seeds
from support.fuzz_corpus import pieces
from support.fuzz_messages import form_seeds, forms, grpc_messages, message_seeds

LIMITS = WireLimits(header_bytes=2000, header_count=20, body_bytes=2000)


# Requests of callers


class _Kept:
    """A receiver that keeps what it is given."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.problem: BadRequestError | None = None

    def header_began(self) -> None:
        """Nothing to do."""

    def header_complete(self, request: Request, has_body: bool) -> None:
        """What `check_header` promises."""
        assert request.target.startswith(b"/")
        assert b"host" in request.headers or not request.chunks_allowed
        assert not (b"content-length" in request.headers and b"transfer-encoding" in request.headers)
        assert not any(byte in value for value in request.headers.values() for byte in b"\r\n\x00")

    def request_complete(self, request: Request) -> None:
        """Keep it."""
        assert self.problem is None
        assert len(request.body) <= LIMITS.body_bytes
        self.requests.append(request)


def _received(cut: list[bytes]) -> _Kept:
    kept_requests = _Kept()
    parser = RequestParser(LIMITS, kept_requests)
    for piece in cut:
        if not piece:
            continue
        try:
            parser.feed(piece)
        except BadRequestError as problem:
            kept_requests.problem = problem
            break
    if kept_requests.problem is not None:
        assert 400 <= kept_requests.problem.refusal.status < 600
    return kept_requests


def requests(data: bytes) -> None:
    """However bytes are cut, they are the same requests, as far as they are taken at all."""
    cut = pieces(data)
    whole, parts = _received([b"".join(cut)]), _received(cut)
    for one, other in zip(whole.requests, parts.requests, strict=False):
        assert (one.method, one.target, one.headers, one.body) == (
            other.method,
            other.target,
            other.headers,
            other.body,
        )
    if whole.problem is None and parts.problem is None:
        assert len(whole.requests) == len(parts.requests)


def repeated(data: bytes) -> None:
    """What a connection remembers makes no request of bytes that are none: each part means what it means alone."""
    one = _Kept()
    parser = RequestParser(LIMITS, one)
    for part in data.split(b"\xff\xff"):
        if not part or not parser.between:
            return
        had, alone = len(one.requests), _received([part])
        try:
            parser.feed(part)
        except BadRequestError:
            return
        for cut, other in zip(one.requests[had:], alone.requests, strict=False):
            assert (cut.method, cut.target, cut.headers, cut.body) == (
                other.method,
                other.target,
                other.headers,
                other.body,
            )
        assert len(one.requests) - had <= len(alone.requests)


# Responses of engines


class _Transport(asyncio.Transport):
    """Takes all, and may be aborted."""

    def __init__(self) -> None:
        super().__init__()
        self.ended = False

    def write(self, data: Any) -> None:
        """Nobody reads it."""

    def abort(self) -> None:
        """End."""
        self.ended = True

    def close(self) -> None:
        """End."""
        self.ended = True

    def is_closing(self) -> bool:
        """Whether it has ended."""
        return self.ended


_LOOP = asyncio.new_event_loop()


def responses(data: bytes) -> None:
    """Whatever an engine sends, an exchange ends: with a whole response, or with its failure."""
    _LOOP.run_until_complete(_exchange(pieces(data)))


async def _exchange(cut: list[bytes]) -> None:
    connection, answer = EngineConnection(_LOOP, "engine"), Collected(2000)
    transport = _Transport()
    connection.connection_made(transport)
    asking = asyncio.ensure_future(connection.exchange(EngineRequest("/x", b"{}"), answer, 1.0, 1.0))
    await asyncio.sleep(0)
    for piece in cut:
        if piece and not transport.ended:
            connection.data_received(piece)
    connection.connection_lost(None)
    try:
        await asking
    except EngineFailureError:
        return
    assert 200 <= answer.status < 1000
    assert len(answer.body) <= 2000


# Bodies


def _request(body: bytes) -> Request:
    return Request(b"POST", b"/", b"/", {b"content-type": b"application/json"}, True, True, body=body)


def openai_bodies(data: bytes) -> None:
    """Each body is a call or refused with a sentence; a call has a model, and a refusal can be told."""
    for operation in OPERATIONS:
        call = openai.parse(operation, _request(data))
        if isinstance(call, Refusal):
            assert 400 <= call.status < 500, call
            orjson.dumps(call.message)
        else:
            assert isinstance(call.model, str)
            call.prompt()
            call.session()


def tensor_bodies(data: bytes) -> None:
    """The same for tensors; the first byte says where the JSON ends."""
    length, body = (data[0], data[1:]) if data else (0, b"")
    request = _request(body)
    if length:
        request.headers[b"inference-header-content-length"] = b"%d" % length
    call = _LOOP.run_until_complete(open_inference.parse("m", None, request, 10_000))
    if isinstance(call, Refusal):
        assert 400 <= call.status < 500, call
        orjson.dumps(call.message)


# Streams


def streams(data: bytes) -> None:
    """However a stream is cut, callers get the same lines, and the same was used."""
    cut = pieces(data)
    assert _streamed([b"".join(cut)]) == _streamed(cut)


def _streamed(cut: list[bytes]) -> tuple[list[bytes], object] | str:
    tail = StreamTail(False, None, CHUNKS)
    out = b""
    try:
        for piece in cut:
            out += tail.feed(piece)
        out += tail.rest()
    except EngineSaidError:
        return "the engine said that it failed"
    except EngineFailureError:
        return "malformed"
    # A line end more between two events means nothing; where line ends are mixed, one may go with a dropped event.
    return [line for line in out.split(b"\n") if line.strip()], tail.usage


TARGETS: dict[str, Callable[[bytes], None]] = {
    "requests": requests,
    "repeated": repeated,
    "responses": responses,
    "openai_bodies": openai_bodies,
    "tensor_bodies": tensor_bodies,
    "streams": streams,
    "grpc_messages": grpc_messages,
    "forms": forms,
    "answers": answers,
    "told": told,
}


def seeds(target: str) -> Iterator[bytes]:
    """Where a fuzzer begins: good ones."""
    if target == "requests":
        yield b"\x00POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}GET /b HTTP/1.1\r\nHost: b\r\n\r\n"
        yield b"\x03POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\n{}\r\n0\r\nT: 1\r\n\r\n"
    elif target == "repeated":
        one = b"POST /a HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer k\r\nContent-Length: 2\r\nX: y\r\n\r\n{}"
        yield b"\xff\xff".join([one, one, one.replace(b": 2", b": 3") + b" ", one.replace(b"Bearer k", b"Bearer l")])
        yield b"\xff\xff".join([one, one + one, one.replace(b": 2", b": 02"), one.replace(b"\r\nX", b"\r\n X")])
    elif target == "responses":
        yield b"\x00HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
        yield b"\x05HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    elif target == "openai_bodies":
        yield b'{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a"}]}],"n":2,"stop":["a"]}'
        yield b'{"model":"m","prompt":["a",[1,2]],"stream":true,"stream_options":{"include_usage":true},"max_tokens":5}'
        yield b'{"model":"m","input":["a"],"query":"q","documents":["d"],"text_1":"a","text_2":["b"],"seed":1}'
    elif target == "tensor_bodies":
        yield b'\x00{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,2]}],"outputs":[{"name":"y"}]}'
        yield b'\x5f{"inputs":[{"name":"x","datatype":"INT8","shape":[2],"parameters":{"binary_data_size":2}}]}    ab'
    elif target == "streams":
        yield b'\x07data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: {"choices":[],"usage":{"prompt_tokens":1,'
        yield b'\x09data: {"usage":{"prompt_tokens":1,"completion_tokens":2},"choices":[]}\r\n\r\ndata: [DONE]\n\n'
    elif target == "grpc_messages":
        yield from message_seeds()
    elif target == "forms":
        yield from form_seeds()
    elif target == "answers":
        yield from answer_seeds()
    elif target == "told":
        yield from told_seeds()
