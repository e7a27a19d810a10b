"""A header that came before on a connection is not parsed again, and means to the letter what parsing it would tell."""

import gc

import pytest
from hypothesis import given
from hypothesis import strategies as some
from mizzen_gateway.wire.limits import WireLimits
from mizzen_gateway.wire.parser import RequestParser
from mizzen_gateway.wire.request import BadRequestError, Request

KEYS = (b"mzk_one", b"mzk_two")


class Receiver:
    """Keeps what was parsed."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def header_began(self) -> None:
        """Nothing."""

    def header_complete(self, request: Request, has_body: bool) -> None:
        """Nothing."""

    def request_complete(self, request: Request) -> None:
        """Keep it."""
        self.requests.append(request)


def parsed(parser: RequestParser, receiver: Receiver, data: bytes) -> list[tuple[object, ...]] | str:
    """What comes of some bytes: requests, or what was said against them."""
    receiver.requests.clear()
    try:
        parser.feed(data)
    except BadRequestError as problem:
        return problem.refusal.code
    return [
        (one.method, one.target, one.path, one.headers, one.keep_alive, one.chunks_allowed, one.body)
        for one in receiver.requests
    ]


def a_parser() -> tuple[RequestParser, Receiver]:
    """One connection's."""
    receiver = Receiver()
    return RequestParser(WireLimits(body_bytes=4096), receiver), receiver


def a_request(body: bytes, *lines: bytes, key: bytes = KEYS[0], length: bytes | None = None) -> bytes:
    """A request with a key; `length` where it is not that of the body."""
    head = [b"POST /v1/chat/completions?x=1 HTTP/1.1", b"Host: gateway", b"Authorization: Bearer " + key, *lines]
    head.append(b"Content-Length: " + (b"%d" % len(body) if length is None else length))
    return b"\r\n".join([*head, b"Accept: */*", b"X-Api-Key: " + key, b"", body])


PIECES = some.one_of(
    some.builds(
        a_request,
        some.binary(max_size=40),
        some.sampled_from([b"X-A: 1", b"x-a: 1", b"X-A: 2", b"Connection: close", b"Connection: keep-alive"]),
        key=some.sampled_from(KEYS),
    ),
    some.builds(
        a_request, some.binary(max_size=12), length=some.sampled_from([b"0", b"00", b"7", b"+3", b" 3", b"9999"])
    ),
    some.builds(a_request, some.just(b""), some.sampled_from([b"Expect: 100-continue", b"Transfer-Encoding: chunked"])),
    some.binary(min_size=1, max_size=8),
    some.just(b"GET /v1/models HTTP/1.1\r\nHost: gateway\r\n\r\n"),
)


@given(some.lists(some.tuples(PIECES, some.integers(1, 3)), min_size=1, max_size=8))
def test_a_connection_reads_the_same_with_and_without_what_it_remembers(pieces: list[tuple[bytes, int]]) -> None:
    (remembers, seen), (forgets, plain) = a_parser(), a_parser()
    for piece, times in pieces:
        for _ in range(times):
            forgets._known._length_at = 0
            found, told = parsed(remembers, seen, piece), parsed(forgets, plain, piece)
            assert found == told
            assert (remembers.between, remembers.in_body) == (forgets.between, forgets.in_body)
            if isinstance(found, str):
                return


def test_a_repeated_header_is_known_whatever_the_body() -> None:
    parser, receiver = a_parser()
    parsed(parser, receiver, a_request(b"one"))
    parser._llhttp = None  # whoever parses now fails
    assert parsed(parser, receiver, a_request(b"another body")) == [
        (
            b"POST",
            b"/v1/chat/completions?x=1",
            b"/v1/chat/completions",
            {
                b"host": b"gateway",
                b"authorization": b"Bearer mzk_one",
                b"content-length": b"12",
                b"accept": b"*/*",
                b"x-api-key": b"mzk_one",
            },
            True,
            True,
            b"another body",
        )
    ]


@pytest.mark.parametrize(
    "other", [a_request(b"one", key=KEYS[1]), a_request(b"one", b"X-A: 1"), a_request(b"one")[:-1]]
)
def test_another_header_is_parsed(other: bytes) -> None:
    parser, receiver = a_parser()
    parsed(parser, receiver, a_request(b"one"))
    assert parser._known.request_in(other, 4096) is None


def test_no_key_is_kept_between_requests() -> None:
    parser, receiver = a_parser()
    for _ in range(2):
        parsed(parser, receiver, a_request(b"one"))
    receiver.requests.clear()
    held: list[object] = [parser._known, parser._last, parser._headers, parser._request]
    for one in held:
        if isinstance(one, bytes):
            assert b"mzk_one" not in one
        held.extend(gc.get_referents(one) if not isinstance(one, type | str) else ())


def test_who_sends_another_header_each_time_is_not_looked_at_any_longer() -> None:
    parser, receiver = a_parser()
    for number in range(20):
        parsed(parser, receiver, a_request(b"one", b"X-Number: %02d" % number))
    assert not parser._known.worth_a_look
