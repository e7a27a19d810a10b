"""Bytes to requests: llhttp's grammar (strict) with the bounds and rules that it leaves to us."""

import re
from typing import Protocol

import httptools

from mizzen_gateway.stages import Refusal
from mizzen_gateway.wire.framing import sentence
from mizzen_gateway.wire.limits import MIB, WireLimits
from mizzen_gateway.wire.repeated_head import RepeatedHead
from mizzen_gateway.wire.request import SINGLE, BadRequestError, Request, check_header, malformed

FRAMING_FACTOR = 8
"""Bytes on the wire for one byte of body, at most: a chunk of one byte takes six."""
EMPTY_LINE_BYTES = 64
"""Of empty lines before a request, at most."""
LINE_ENDS = b"\r\n"
TAB_BEFORE_VALUE = re.compile(rb"(?:\A|\n)(?i:host|content-length|transfer-encoding):[ \t]*\t")
"""A blank to some programs, a part of the value to others."""


class Receiver(Protocol):
    """Whoever owns the connection."""

    def header_began(self) -> None:
        """The first byte of a request came."""
        ...

    def header_complete(self, request: Request, has_body: bool) -> None:
        """The header is whole; sets `request.caller` or `request.refusal`."""
        ...

    def request_complete(self, request: Request) -> None:
        """The body is whole, too."""
        ...


class RequestParser:
    """One connection's requests. `feed` raises BadRequestError once; nothing may be fed after that."""

    def __init__(self, limits: WireLimits, receiver: Receiver) -> None:
        self._limits = limits
        self._receiver = receiver
        self._llhttp = httptools.HttpRequestParser(self)
        self._problem: BadRequestError | None = None
        self._known = RepeatedHead()
        self._last: Request | None = None
        self._reset()
        self.between = True
        """No request has begun that is not complete."""

    def _reset(self) -> None:
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._header_bytes = 0
        self._header_count = 0
        self._request: Request | None = None
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._body_left = 0
        self._body_wire_bytes = 0
        self._empty_bytes = 0
        self._line_begun = b""

    @property
    def target(self) -> bytes:
        """Target of the request under way, as far as it has come: its path says in which words to refuse it."""
        return self._target

    @property
    def in_body(self) -> bool:
        """A header is whole, its body is not."""
        return self._request is not None

    @property
    def held_bytes(self) -> int:
        """Of a body that is kept until it is whole."""
        return self._body_bytes if self._body else 0

    def forget(self) -> None:
        """The body under way is not wanted any more; nothing is fed from now on."""
        self._body.clear()

    def close(self) -> None:
        """Nothing is fed from now on: let go of what is not whole, and of all that would keep this alive."""
        self._reset()
        del self._llhttp, self._receiver

    def feed(self, data: bytes) -> None:
        """Take bytes; calls the receiver for what they complete."""
        if self.between:
            if self._known.worth_a_look and self._take_known(data):
                return
            if data[0] in LINE_ENDS:
                self._check_empty_lines(data)
        began_between = self.between
        if self._request is None:
            # The header so far may sit wholly in llhttp, without a callback; so its bytes are counted here.
            self._header_bytes += min(len(data), self._limits.header_bytes + 1)
        began_in_body = self.in_body
        if (not began_in_body or len(data) > self._body_left) and data.find(b"\t") >= 0:
            self._check_tabs(data)
        try:
            self._llhttp.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise malformed("Header Upgrade: no other protocol is spoken on this port; leave it out.") from None
        except httptools.HttpParserError as error:
            raise self._problem or malformed(sentence(str(error))) from None
        if self.between:
            self._remember(data if began_between else b"")
            return
        if self._request is None:
            self._check_size()
            self._line_begun = (self._line_begun + data).rpartition(b"\n")[2]
        elif began_in_body:
            self._check_framing(len(data))

    def _remember(self, data: bytes) -> None:
        last, self._last = self._last, None
        if last is not None:
            self._known.remember(data, last)

    def _take_known(self, data: bytes) -> bool:
        """A whole request whose header has come before is not parsed again."""
        request = self._known.request_in(data, self._limits.body_bytes)
        if request is None:
            return False
        self._receiver.header_complete(request, has_body=False)
        if request.refusal is not None:
            request.body = b""
        self._receiver.request_complete(request)
        return True

    def _check_empty_lines(self, data: bytes) -> None:
        """llhttp skips them without end."""
        self._empty_bytes += len(data) - len(data.lstrip(LINE_ENDS))
        if self._empty_bytes > EMPTY_LINE_BYTES:
            raise self._stop(malformed("Request: empty lines come before it; leave them out."))

    def _check_tabs(self, data: bytes) -> None:
        """llhttp skips them; so this looks at the lines themselves, also at one that began in an earlier piece."""
        if TAB_BEFORE_VALUE.search(self._line_begun + data):
            raise self._stop(
                malformed("Headers Host, Content-Length, Transfer-Encoding: a tab before the value; send a space.")
            )

    def _check_framing(self, fed: int) -> None:
        """Chunk extensions and trailers reach no callback of ours while they are incomplete: bound them, too."""
        self._body_wire_bytes += fed
        if self._body_wire_bytes > FRAMING_FACTOR * self._body_bytes + 2 * self._limits.header_bytes:
            raise self._stop(malformed("Body: chunk framing larger than its content; send larger chunks."))

    def _check_size(self) -> None:
        if self._header_bytes > self._limits.header_bytes or self._header_count > self._limits.header_count:
            raise self._stop(
                BadRequestError(
                    Refusal(
                        431,
                        "header_too_large",
                        f"Header: more than {self._limits.header_bytes} bytes or {self._limits.header_count} lines;"
                        " send a smaller one.",
                    )
                )
            )

    def _stop(self, problem: BadRequestError) -> BadRequestError:
        self._problem = problem
        return problem

    # Callbacks of llhttp.

    def on_message_begin(self) -> None:
        """First byte of a request."""
        self.between = False
        self._receiver.header_began()

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header line, or a trailer, which is thrown away."""
        self._header_count += 1
        if self._header_count > self._limits.header_count:
            self._check_size()
        if self._request is not None:
            return
        name = name.lower()
        if name in self._headers:
            if name in SINGLE:
                raise self._stop(malformed(f"Header {name.decode('latin-1').title()}: came twice; send exactly one."))
            self._headers[name] += b", " + value
        else:
            self._headers[name] = value.strip()

    def on_headers_complete(self) -> None:
        """The header is whole."""
        headers, limits = self._headers, self._limits
        counted = sum(map(len, headers)) + sum(map(len, headers.values())) + len(self._target) + 4 * len(headers)
        self._header_bytes = counted
        self._check_size()
        method = self._llhttp.get_method()
        version = self._llhttp.get_http_version()
        try:
            check_header(method, self._target, version, headers)
            self._begin_body(method, version, headers, limits)
        except BadRequestError as problem:
            raise self._stop(problem) from None

    def _begin_body(self, method: bytes, version: str, headers: dict[bytes, bytes], limits: WireLimits) -> None:
        length = int(headers.get(b"content-length", b"0"))
        if length > limits.body_bytes:
            raise self._too_large()
        self._body_left = length
        request = Request(
            method,
            self._target,
            self._target.partition(b"?")[0],
            headers,
            self._llhttp.should_keep_alive(),
            version == "1.1",
        )
        self._receiver.header_complete(request, length > 0 or b"transfer-encoding" in headers)
        self._request = request

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        request = self._request
        assert request is not None
        self._body_bytes += len(data)
        self._body_left -= len(data)
        if self._body_bytes > self._limits.body_bytes:
            raise self._stop(self._too_large())
        if request.stream is not None:
            request.stream.feed(data)
        elif request.refusal is None:
            self._body.append(data)

    def on_message_complete(self) -> None:
        """The request is whole."""
        request, body = self._request, self._body
        assert request is not None
        request.body = body[0] if len(body) == 1 else b"".join(body)
        self._reset()
        self.between = True
        self._last = request
        self._receiver.request_complete(request)

    def _too_large(self) -> BadRequestError:
        limit = self._limits.body_bytes
        shown = f"{limit // MIB} MiB" if limit % MIB == 0 else f"{limit} bytes"
        message = f"Body: larger than the limit of {shown}; send less in one request, or ask for a higher limit."
        return BadRequestError(Refusal(413, "body_too_large", message))
