"""What wraps every request, as plain ASGI: its id, its log line, its count, and the limit of its body."""

import time
from collections.abc import Sequence
from typing import Any, Final

import structlog
from prometheus_client import REGISTRY, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mizzen_controlplane.kit.auth import PUBLIC_PATHS
from mizzen_controlplane.kit.client_address import Network, client_address
from mizzen_controlplane.kit.problem import TooLarge, TooManyRequests
from mizzen_controlplane.kit.rendering import render
from mizzen_controlplane.kit.request_context import begin_request
from mizzen_controlplane.kit.request_rates import Rate, too_often
from mizzen_controlplane.kit.secret_folder import token_digest
from mizzen_controlplane.kit.security_headers import secured

UNAUTHORIZED: Final = 401
log = structlog.get_logger("mizzen_controlplane.requests")

REQUESTS = Counter("mizzen_controlplane_requests", "Requests answered.", ["method", "status"], registry=REGISTRY)
DURATION = Histogram("mizzen_controlplane_request_seconds", "Time to the last byte.", ["method"], registry=REGISTRY)


class Transport:
    """Gives a request its id, refuses a body over the limit, logs and counts the answer."""

    def __init__(
        self,
        app: ASGIApp,
        max_body_bytes: int,
        trusted_proxies: Sequence[Network] = (),
        refusals: Rate | None = None,
    ) -> None:
        self._app = app
        self._refusals = refusals
        self._trusted_proxies = trusted_proxies
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        address = self._address(scope)
        request_id = begin_request(headers.get(b"x-request-id", b"").decode("latin-1"), address)
        answer: dict[str, Any] = {"status": 0, "started": False}

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.update(status=message["status"], started=True)
                marked = [*message["headers"], (b"x-request-id", request_id.encode())]
                message["headers"] = secured(marked, scope.get("scheme", "http"))
            await send(message)

        started = time.perf_counter()
        try:
            if (refusal := self._refused_too_often(scope, headers, address)) is not None:
                await render(refusal)(scope, receive, sending)
            else:
                await self._limited(scope, headers, receive, sending, answer)
        finally:
            if answer["status"] == UNAUTHORIZED and self._refusals is not None:
                self._refusals.spend(address)
            _account(scope, request_id, answer["status"], time.perf_counter() - started)

    def _refused_too_often(self, scope: Scope, headers: dict[bytes, bytes], address: str) -> TooManyRequests | None:
        """Before anybody is asked about a token. Probes need none, and this installation's own tokens always pass:
        nobody shuts the gateway out by failing from its address."""
        if self._refusals is None or scope["path"] in PUBLIC_PATHS or not (wait := self._refusals.wait(address)):
            return None
        token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")[2].strip()
        if token_digest(token) in scope["app"].state.plane.secrets.token_digests:
            return None
        detail = f"Too many requests without a valid token came from {address}. Correct the token, then wait."
        return too_often(wait, detail)

    def _address(self, scope: Scope) -> str:
        forwarded = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
        return client_address(scope["client"][0] if scope["client"] else "", forwarded, self._trusted_proxies)

    async def _limited(
        self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send, answer: dict[str, Any]
    ) -> None:
        if streams_its_body(scope):
            await self._app(scope, receive, send)
            return
        if int(headers.get(b"content-length", b"0") or 0) > self._max_body_bytes:
            await render(self._too_large())(scope, receive, send)
            return
        counted = _CountedBody(receive, self._max_body_bytes)

        async def unless_over(message: Message) -> None:
            # The framework takes what interrupts its reading for malformed JSON; that answer is not sent.
            if not counted.over or answer["started"]:
                await send(message)

        try:
            await self._app(scope, counted, unless_over)
        except BodyOverLimitError:
            if answer["started"]:
                raise
        if counted.over and not answer["started"]:
            await render(self._too_large())(scope, receive, send)

    def _too_large(self) -> TooLarge:
        return TooLarge(
            f"The body is over the limit of {self._max_body_bytes} bytes (MIZZEN_MAX_BODY_BYTES). Send less at a time.",
            code="body_too_large",
            headers={"Connection": "close"},
        )


class BodyOverLimitError(Exception):
    """Ends the reading of a body that is too large."""


class _CountedBody:
    """The body as it arrives, up to a limit."""

    def __init__(self, receive: Receive, at_most: int) -> None:
        self._receive = receive
        self._left = at_most
        self.over = False

    async def __call__(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            self.over = True
            raise BodyOverLimitError
        return message


def streams_its_body(scope: Scope) -> bool:
    """An upload of a file's bytes: it has its own limit, the size that was announced for the file."""
    method, path = scope["method"], scope["path"]
    return (method == "PATCH" and "/files/" in path) or (method == "PUT" and "/versions/" in path and "/parts/" in path)


def _account(scope: Scope, request_id: str, status: int, seconds: float) -> None:
    method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE") else "other"
    REQUESTS.labels(method, str(status)).inc()
    DURATION.labels(method).observe(seconds)
    log.info("answered", method=method, path=scope["path"], status=status, ms=round(seconds * 1e3, 1), id=request_id)
