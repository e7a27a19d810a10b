"""An answer that came in pieces is sent whole, whether it is long or short, and kept whole where somebody keeps it."""

import asyncio

import pytest
from mizzen_gateway.caching import KeepingResponder
from mizzen_gateway.protocols.open_inference.grpc.held import HeldResponder
from mizzen_gateway.stages import Refusal
from mizzen_gateway.wire.limits import WireLimits
from mizzen_gateway.wire.request import Request
from mizzen_gateway.wire.response import Responder
from mizzen_gateway.wire.server import Server


class InPieces:
    """Answers with the pieces that a test gives."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces

    def vet(self, request: Request, _transport: asyncio.BaseTransport) -> None:
        """Anybody may ask."""

    async def handle(self, request: Request, responder: Responder) -> None:
        """Send them."""
        responder.send_pieces(200, (("x-test", "1"),), self.pieces)

    def refuse(self, request: Request, responder: Responder, refusal: Refusal) -> None:
        """Never asked to."""
        raise AssertionError(refusal.message)


async def said(pieces: list[bytes], method: bytes = b"GET") -> bytes:
    """What a caller reads who asks twice on one connection."""
    server = Server(InPieces(pieces), WireLimits())
    port = await server.listen("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    asked = method + b" / HTTP/1.1\r\nHost: a\r\n"
    writer.write(asked + b"\r\n" + asked + b"Connection: close\r\n\r\n")
    everything = await reader.read()
    writer.close()
    await server.drain(1.0)
    return everything


PIECES = [[b""], [b"a"], [b"a" * 10, b"b" * 20], [b"a" * 70_000, b"b" * 200_000, b"c"]]


@pytest.mark.parametrize("pieces", PIECES)
async def test_pieces_arrive_as_one_body_with_its_length(pieces: list[bytes]) -> None:
    body = b"".join(pieces)
    found = await said(pieces)
    assert found.count(b"content-length: %d\r\n" % len(body)) == 2
    assert found.endswith(b"\r\n\r\n" + body)
    assert found.count(body) >= 2


async def test_head_gets_the_length_of_all_pieces_and_none_of_them() -> None:
    found = await said(PIECES[-1], b"HEAD")
    assert found.count(b"content-length: 270001\r\n") == 2
    assert b"aaa" not in found


@pytest.mark.parametrize("pieces", PIECES)
def test_who_keeps_an_answer_keeps_it_in_one_piece(pieces: list[bytes]) -> None:
    held = HeldResponder()
    keeping = KeepingResponder(held)
    keeping.send_pieces(200, (), pieces)
    assert keeping.kept == held.body == b"".join(pieces)
