"""A request as it was received, and the rules that its header must keep."""

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mizzen_gateway.stages import Caller, Refusal, RequestLine
from mizzen_gateway.trace_context import TraceContext

if TYPE_CHECKING:
    from mizzen_gateway.wire.body import BodyStream

SINGLE = frozenset(
    {
        b"host",
        b"content-length",
        b"content-type",
        b"content-encoding",
        b"transfer-encoding",
        b"authorization",
        b"api-key",
        b"x-api-key",
        b"expect",
        b"inference-header-content-length",
    }
)
"""Headers that two programs could read differently if they came twice."""

HOST = re.compile(rb"(?:[A-Za-z0-9_~-]+(?:\.[A-Za-z0-9_~-]+)*\.?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?\Z")
ENCODED = re.compile(rb"%(?:00|(?![0-9A-Fa-f]{2}))")
"""What decodes to a zero byte, or does not decode."""
KNOWN_HOSTS = 1024
_known_hosts: set[bytes] = set()
"""Valid ones that came before: callers name few."""
BODYLESS = frozenset({b"GET", b"HEAD"})


@dataclass(slots=True)
class Request:
    """One request. Not frozen: the parser fills it while the bytes come in, nobody changes it afterwards."""

    method: bytes
    target: bytes
    path: bytes
    headers: dict[bytes, bytes]
    keep_alive: bool
    chunks_allowed: bool
    """False for HTTP/1.0, which knows no chunked answers."""
    body: bytes = b""
    streamed: bool = False
    """Set by stage 2: the body is handed on as it comes, in `stream`, and `body` stays empty."""
    stream: "BodyStream | None" = None
    caller: Caller | None = None
    """Set by stage 2, as soon as the header is there."""
    trace: TraceContext | None = None
    """Where spans are wanted: what this request has to do with them."""
    line: RequestLine | None = None
    """Of the access log, where one is wanted."""
    refusal: Refusal | None = None
    """The request is answered with this; its body was read and thrown away."""
    close_after: bool = False
    """The bytes that follow cannot be trusted: close after the answer."""
    received_at: float = field(default=0.0)
    """Loop time of the last byte."""


class BadRequestError(Exception):
    """The bytes are no request that could be answered safely; the connection ends after the refusal."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def malformed(message: str) -> BadRequestError:
    """400: what is wrong in the header or framing."""
    return BadRequestError(Refusal(400, "malformed_request", message))


def check_header(method: bytes, target: bytes, version: str, headers: dict[bytes, bytes]) -> None:
    """Refuse what two programs could read differently. llhttp has refused bare LF, CL+TE and two lengths already."""
    if version not in {"1.1", "1.0"}:
        raise BadRequestError(
            Refusal(505, "http_version_not_supported", "HTTP version: 1.1 or 1.0 is spoken here; send HTTP/1.1.")
        )
    if not target.startswith(b"/") or b"#" in target:
        raise malformed("Request target: must be a path that begins with '/', without a fragment; send that.")
    if b"%" in target and ENCODED.search(target.partition(b"?")[0]):
        raise malformed("Request target: '%' must begin two hexadecimal digits, and not 00; send '%25' for the sign.")
    host = headers.get(b"host")
    if host is None and version == "1.1":
        raise malformed("Header Host: missing; send exactly one.")
    if host is not None and host not in _known_hosts:
        _check_host(host)
    coding = headers.get(b"transfer-encoding")
    if coding is not None:
        if b"content-length" in headers:
            raise malformed("Headers Content-Length and Transfer-Encoding: send one of them, not both.")
        if coding.lower() != b"chunked" or version == "1.0":
            raise malformed("Header Transfer-Encoding: only 'chunked' is understood, and only with HTTP/1.1.")
    if b"upgrade" in headers and b"upgrade" in headers.get(b"connection", b"").lower():
        raise malformed("Header Upgrade: no other protocol is spoken on this port; leave it out.")
    expect = headers.get(b"expect")
    if expect is not None and expect.lower() != b"100-continue":
        message = "Header Expect: only '100-continue' is understood; send that or leave it out."
        raise BadRequestError(Refusal(417, "expectation_failed", message))
    if method in BODYLESS and (coding is not None or headers.get(b"content-length", b"0") != b"0"):
        raise malformed(f"Body: {method.decode()} takes none; leave out Content-Length and Transfer-Encoding.")


def _check_host(host: bytes) -> None:
    if not HOST.match(host):
        raise malformed("Header Host: not a host name with an optional port; send exactly one valid Host.")
    if len(_known_hosts) >= KNOWN_HOSTS:
        _known_hosts.clear()
    _known_hosts.add(host)
