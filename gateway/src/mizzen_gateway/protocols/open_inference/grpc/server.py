"""Listens for gRPC, on a port of its own, with the certificate of the other one."""

import asyncio
from typing import Protocol

import grpc

from mizzen_gateway.protocols.open_inference.grpc.intake import Intake
from mizzen_gateway.protocols.open_inference.grpc.received import Received
from mizzen_gateway.protocols.open_inference.grpc.service import InferenceService, Serves
from mizzen_gateway.protocols.open_inference.grpc.unfinished import Unfinished
from mizzen_gateway.stopping import LAST_WORDS_SECONDS
from mizzen_gateway.wire.limits import WireLimits
from mizzen_gateway.wire.receiving import Receiving

METADATA_BYTES = 32 * 1024
STREAMS = 128
"""Calls at once on one connection."""
UNREAD_BYTES = 64 * 1024
"""Of a message that nobody reads yet; once it is read, gRPC takes as much at once as there is of it."""
PING_MS = 30_000
"""A connection that is silent for so long is asked whether it lives."""
HANDSHAKE_MS = 10_000
"""For the TLS of a connection to be agreed upon."""


class Shown(Protocol):
    """A certificate that may be renewed."""

    @property
    def pair(self) -> tuple[bytes, bytes]:
        """Certificate and key in use, as PEM."""
        ...


class GrpcServer:
    """One listener."""

    def __init__(self, serves: Serves, limits: WireLimits, receiving: Receiving, *, shared: bool = False) -> None:
        """`limits` as over HTTP, `receiving` its bodies on their way; `shared`: other workers have the port."""
        self._received = Received()
        unfinished = Unfinished(self._received, receiving, limits.body_seconds, limits.body_rate)
        intake = Intake(unfinished, limits.receiving_bytes, limits.body_bytes, limits.body_seconds)
        self._service = InferenceService(serves, intake, unfinished, limits.write_stall_seconds)
        self._server = grpc.aio.server(
            handlers=(self._service,),
            options=(
                ("grpc.max_receive_message_length", limits.body_bytes),
                ("grpc.http2.lookahead_bytes", UNREAD_BYTES),
                ("grpc.http2.bdp_probe", 0),
                ("grpc.max_send_message_length", -1),
                ("grpc.max_allowed_incoming_connections", limits.connections),
                ("grpc.max_metadata_size", METADATA_BYTES),
                ("grpc.max_concurrent_streams", STREAMS),
                ("grpc.max_connection_idle_ms", int(limits.idle_seconds * 1000)),
                ("grpc.keepalive_time_ms", PING_MS),
                ("grpc.so_reuseport", int(shared)),
                ("grpc.server_handshake_timeout_ms", HANDSHAKE_MS),
            ),
        )

    async def listen(self, host: str, port: int, certificate: Shown | None = None) -> int:
        """Begin; the port that was taken. Raises OSError where it cannot be had."""
        place = f"{host}:{port}"
        try:
            if certificate is None:
                taken = self._server.add_insecure_port(place)
            else:
                taken = self._server.add_secure_port(place, credentials_of(certificate))
        except RuntimeError as error:
            raise OSError(str(error)) from error
        self._received.port = self._service.port = taken
        await self._server.start()
        return taken

    async def drain(self, seconds: float) -> None:
        """Take no new call; let calls under way end, for `seconds` at most; then tell the rest of it."""
        stopping = asyncio.create_task(self._server.stop(seconds + LAST_WORDS_SECONDS))
        await asyncio.wait([stopping], timeout=seconds)
        self._service.cut()
        await stopping
        self._received.close()


def credentials_of(certificate: Shown) -> grpc.ServerCredentials:
    """Asked at each handshake, so that a renewed certificate is shown from then on; connections that stand go on."""
    in_use = certificate.pair
    made = _configured(in_use)

    def newest() -> "grpc.ServerCertificateConfiguration | None":
        nonlocal in_use
        if certificate.pair is in_use:
            return None
        in_use = certificate.pair
        return _configured(in_use)

    return grpc.dynamic_ssl_server_credentials(made, newest)  # type: ignore[arg-type]  # None: as before, it documents


def _configured(pair: tuple[bytes, bytes]) -> grpc.ServerCertificateConfiguration:
    certificate, key = pair
    return grpc.ssl_server_certificate_configuration([(key, certificate)])
