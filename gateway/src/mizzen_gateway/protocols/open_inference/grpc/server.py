"""Listens for gRPC, on a port of its own."""

import grpc

from mizzen_gateway.protocols.open_inference.grpc.service import InferenceService, Serves

METADATA_BYTES = 32 * 1024
STREAMS = 1024
"""Calls at once on one connection."""
IDLE_MS = 300_000
PING_MS = 30_000
"""A connection that is silent for so long is asked whether it lives."""


class GrpcServer:
    """One listener."""

    def __init__(self, serves: Serves, message_bytes: int, *, shared: bool = False) -> None:
        """`message_bytes` bounds what a message may hold, also when opened; `shared`: other workers have the port."""
        self._server = grpc.aio.server(
            handlers=(InferenceService(serves),),
            options=(
                ("grpc.max_receive_message_length", message_bytes),
                ("grpc.max_send_message_length", -1),
                ("grpc.max_metadata_size", METADATA_BYTES),
                ("grpc.max_concurrent_streams", STREAMS),
                ("grpc.max_connection_idle_ms", IDLE_MS),
                ("grpc.keepalive_time_ms", PING_MS),
                ("grpc.so_reuseport", int(shared)),
            ),
        )

    async def listen(self, host: str, port: int) -> int:
        """Begin; the port that was taken. Raises OSError where it cannot be had."""
        try:
            taken = self._server.add_insecure_port(f"{host}:{port}")
        except RuntimeError as error:
            raise OSError(str(error)) from error
        await self._server.start()
        return taken

    async def drain(self, seconds: float) -> None:
        """Take no new call; let calls under way end, for `seconds` at most."""
        await self._server.stop(seconds)
