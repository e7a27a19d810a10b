"""How are requests sent without measuring the client? One blocking socket, bytes made beforehand, answers checked."""

import re
import socket
import time

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def request_bytes(path: str, host: str, body: bytes, headers: dict[str, str]) -> bytes:
    """A POST, whole."""
    named = {"host": host, "content-type": "application/json", "content-length": str(len(body)), **headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


class Caller:
    """One connection that is kept."""

    def __init__(self, host: str, port: int, request: bytes) -> None:
        self._socket = socket.create_connection((host, port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = request

    def call(self) -> tuple[float, bytes]:
        """(seconds until the last byte, body). Raises where the status is not 200."""
        began = time.perf_counter()
        self._socket.sendall(self._request)
        data = self._socket.recv(65536)
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._more()
        length = LENGTH.search(data, 0, end + 2)
        assert length is not None, data[:200]
        whole = end + 4 + int(length[1])
        while len(data) < whole:
            data += self._more()
        seconds = time.perf_counter() - began
        if not data.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"not answered: {data[:300]!r}")
        return seconds, data[end + 4 : whole]

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _more(self) -> bytes:
        data = self._socket.recv(65536)
        if not data:
            raise RuntimeError("the connection was closed")
        return data
