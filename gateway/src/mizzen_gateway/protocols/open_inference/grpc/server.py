"""Listens for gRPC, on a port of its own, with the certificate of the other one."""

from typing import Protocol

import grpc

from mizzen_gateway.protocols.open_inference.grpc.service import InferenceService, Serves

METADATA_BYTES = 32 * 1024
STREAMS = 1024
"""Calls at once on one connection."""
IDLE_MS = 300_000
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

    def __init__(self, serves: Serves, message_bytes: int, stall_seconds: float, *, shared: bool = False) -> None:
        """`message_bytes` bounds what a message may hold, also when opened; `shared`: other workers have the port."""
        self._server = grpc.aio.server(
            handlers=(InferenceService(serves, stall_seconds),),
            options=(
                ("grpc.max_receive_message_length", message_bytes),
                ("grpc.max_send_message_length", -1),
                ("grpc.max_metadata_size", METADATA_BYTES),
                ("grpc.max_concurrent_streams", STREAMS),
                ("grpc.max_connection_idle_ms", IDLE_MS),
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
        await self._server.start()
        return taken

    async def drain(self, seconds: float) -> None:
        """Take no new call; let calls under way end, for `seconds` at most."""
        await self._server.stop(seconds)


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
