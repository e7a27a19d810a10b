"""How does a server get its port? By its number, or as a socket that another process opened."""

import asyncio
import socket
import ssl

from mizzen_gateway.errors import CannotStartError
from mizzen_gateway.wire.server import Server


async def listen(server: Server, host: str, port: int, variable: str, tls: ssl.SSLContext | None = None) -> int:
    """Listen; a port in use is a sentence, not a traceback."""
    try:
        return await server.listen(host, port, tls)
    except OSError as error:
        raise CannotStartError(
            f"{variable}: cannot listen on {host}:{port} ({error.strerror or error});"
            f" stop the program that uses it, or set {variable} to a free port."
        ) from error


async def listen_on(server: Server, descriptor: int, tls: ssl.SSLContext | None = None) -> int:
    """Listen on a socket that was passed on; its port."""
    return await server.listen_on(socket.socket(fileno=descriptor), tls)


async def serve_on(server: Server, descriptor: int) -> None:
    """Serve one connection that was passed on."""
    one = socket.socket(fileno=descriptor)
    one.setblocking(False)
    await asyncio.get_running_loop().connect_accepted_socket(server.connection, one)
