"""The proxy itself: on the loopback address, for holders of a pass; resolves, checks, connects to what it checked."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass

import structlog
from prometheus_client import REGISTRY, Counter

from mizzen_controlplane.egress.passes import DEFAULT_BYTES, DEFAULT_SECONDS, Passes, TransferPass
from mizzen_controlplane.egress.policy import EgressPolicy, RefusedError
from mizzen_controlplane.egress.request_head import MOST_HEAD_BYTES, BadHeadError, RequestHead, read_head
from mizzen_controlplane.egress.resolution import Resolve

CONNECT_SECONDS = 15.0
IDLE_SECONDS = 120.0
HEAD_SECONDS = 10.0
_CHUNK = 256 * 1024
_USED_UP = "The transfer has used up the {} that it may take."
CONNECTIONS = Counter(
    "mizzen_controlplane_egress_connections", "Connections that were asked of the egress proxy.", ["outcome"],
    registry=REGISTRY,
)  # fmt: skip
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WayOut:
    """What a client needs to fetch through the proxy."""

    proxy_url: str
    """With the pass in it; never logged."""
    allowed: TransferPass

    @property
    def last_refusal(self) -> str:
        """Why the proxy refused something; empty where it did not."""
        return self.allowed.refusals[-1] if self.allowed.refusals else ""


class EgressProxy:
    """One proxy of one process."""

    def __init__(self, policy: EgressPolicy, resolve: Resolve) -> None:
        self.policy = policy
        self._resolve = resolve
        self._passes = Passes()
        self._port = 0
        self._serving: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Serve inside the block, on a port that the system chooses."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=MOST_HEAD_BYTES)
        self._port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            for task in self._serving:
                task.cancel()
            if self._serving:
                await asyncio.wait(self._serving)

    @contextmanager
    def way_out(
        self, label: str, *, most_bytes: int = DEFAULT_BYTES, seconds: float = DEFAULT_SECONDS
    ) -> Iterator[WayOut]:
        """A pass for one transfer, whose connections together may fetch so much in such a time."""
        with self._passes.issued(label, most_bytes, seconds) as allowed:
            yield WayOut(f"http://{allowed.secret}@127.0.0.1:{self._port}", allowed)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            with suppress(OSError, EOFError, TimeoutError):
                await self._answer(reader, writer)
        finally:
            self._serving.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(HEAD_SECONDS):
                head = await read_head(reader)
        except BadHeadError:
            await _refuse(writer, 400, "bad_request", "This is a forward proxy: CONNECT, or http:// in full.")
            return
        allowed = self._passes.holder_of(head.authorization)
        if allowed is None:
            CONNECTIONS.labels("no_pass").inc()
            await _refuse(writer, 407, "no_pass", "Only this process's own transfers go through.", head.method)
            return
        connection = _Connection(self.policy, self._resolve, head, allowed)
        try:
            await connection.run(reader, writer)
        except RefusedError as refused:
            allowed.refusals.append(refused.detail)
            allowed.unreachable = refused.code == "unreachable"
            connection.outcome = refused.code
            await _refuse(writer, 403, refused.code, refused.detail, head.method)
        finally:
            connection.tell()


class _Connection:
    """One connection through the proxy."""

    def __init__(self, policy: EgressPolicy, resolve: Resolve, head: RequestHead, allowed: TransferPass) -> None:
        self._policy, self._resolve, self._head, self._allowed = policy, resolve, head, allowed
        self._began = time.monotonic()
        self._address = ""
        self._sent = self._received = 0
        self.outcome = "broken"

    async def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Connect and carry bytes both ways until one side, the pass or the patience ends."""
        outside, to_outside = await self._connected()
        try:
            if self._head.tunnel:
                writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            else:
                to_outside.write(self._head.onward)
            try:
                async with asyncio.timeout(max(0.0, self._allowed.seconds_left())):
                    await self._carry(reader, to_outside, outside, writer)
                self.outcome = "done"
            except TimeoutError:
                self.outcome = "idle"
            if spent := self._spent():
                self.outcome = f"limit_{spent}"
                self._allowed.refusals.append(_USED_UP.format(spent))
        finally:
            to_outside.close()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to an address that was checked: the name is not asked again."""
        host = self._policy.host(self._head.host)
        self._policy.check_target(host, self._head.port, tls=self._head.tunnel)
        if spent := self._spent():
            raise RefusedError(f"limit_{spent}", _USED_UP.format(spent))
        addresses = self._policy.checked(host, self._head.port, await self._resolve(host))
        reason = "it has no address"
        for address in addresses:
            self._address = str(address)
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    return await asyncio.open_connection(str(address), self._head.port)
            except (OSError, TimeoutError) as error:
                reason = str(error) or type(error).__name__
        raise RefusedError("unreachable", f"{host}:{self._head.port} cannot be reached: {reason}")

    async def _carry(
        self,
        reader: asyncio.StreamReader,
        to_outside: asyncio.StreamWriter,
        outside: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        # The end of what comes in ends the connection; the client's own end, as of a request without body, does not.
        sending = asyncio.create_task(self._send(reader, to_outside))
        try:
            while chunk := await _read(outside):
                self._received += len(chunk)
                if not self._allowed.took(len(chunk)):
                    return
                writer.write(chunk)
                await writer.drain()
        finally:
            sending.cancel()
            await asyncio.wait((sending,))

    async def _send(self, reader: asyncio.StreamReader, to_outside: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(_CHUNK):
                self._sent += len(chunk)
                to_outside.write(chunk)
                await to_outside.drain()
            to_outside.close()

    def _spent(self) -> str:
        """Which limit of the transfer is used up; empty for none."""
        if self._allowed.bytes_left < 0:
            return "bytes"
        return "time" if self._allowed.seconds_left() <= 0 else ""

    def tell(self) -> None:
        """One line for each connection: where to and how much, never what."""
        CONNECTIONS.labels(self.outcome).inc()
        log.info(
            "egress", transfer=self._allowed.label, host=self._head.host[:253], port=self._head.port,
            address=self._address, outcome=self.outcome, sent=self._sent, received=self._received,
            ms=round((time.monotonic() - self._began) * 1e3),
        )  # fmt: skip


async def _read(outside: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(IDLE_SECONDS):
        return await outside.read(_CHUNK)


async def _refuse(writer: asyncio.StreamWriter, status: int, code: str, detail: str, method: str = "") -> None:
    phrase = {400: "Bad Request", 403: "Forbidden", 407: "Proxy Authentication Required"}[status]
    body = detail.encode()
    head = [f"HTTP/1.1 {status} {phrase}", f"X-Mizzen-Refused: {code}", "Content-Type: text/plain; charset=utf-8"]
    head += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
    # An answer to HEAD ends with its head (RFC 9110, 9.3.2): a body would be taken for the next answer.
    writer.write("\r\n".join(head).encode() + (b"" if method == "HEAD" else body))
    await writer.drain()
