"""How much a caller may send, and how long it may take."""

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class WireLimits:
    """Bounds of one listener. Times in seconds, sizes in bytes."""

    header_bytes: int = 32 * 1024
    """Request line and header together."""
    header_count: int = 100
    """Header lines."""
    body_bytes: int = 64 * MIB
    """Request body."""
    receiving_bytes: int = 192 * MIB
    """Request bodies and messages of gRPC that are not whole yet, of all connections together."""
    header_seconds: float = 10.0
    """From the first byte of a request (or the connection) to the end of its header."""
    body_seconds: float = 30.0
    """For a body, beside what its bytes may take at `body_rate`."""
    body_rate: int = 64 * 1024
    """Bytes per second that a long body must come in at."""
    idle_seconds: float = 75.0
    """Between two requests of a connection."""
    write_stall_seconds: float = 60.0
    """A caller that takes no byte of its answer for so long is dropped, however much it was sent before."""
    write_buffer_bytes: int = 64 * 1024
    """Answer bytes held for a slow reader before the engine is paused."""
    pipelined: int = 16
    """Complete requests held for one connection before it is no longer read."""
    pipelined_bytes: int = 256 * 1024
    """Bytes of their bodies, from which on it is no longer read either."""
    connections: int = 0
    """At once, before one that waits for its caller makes room for the next; 0 for no bound."""


ADMIN_LIMITS = WireLimits(body_bytes=4096)
"""Of the port for those who run the gateway."""
CONTROL_LIMITS = WireLimits(body_bytes=4096, header_seconds=float("inf"), idle_seconds=float("inf"))
"""Of the connection on which a supervisor asks its worker."""
