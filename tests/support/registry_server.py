"""A small registry over HTTP with faults to order: cut connections, flipped bytes, a trickle, no ranges."""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

from mizzen_engines.fetch.digest import artifact_digest

TOKEN = "mzt_registry_for-tests"
PREFIX = "/internal/v1/artifacts/"
TRICKLE_BYTES = 64 * 1024


@dataclass
class RegistryServer:
    """One version, its faults, and what was asked."""

    files: dict[str, bytes]
    version_id: str = "mv_test"
    cut_after: list[int] = field(default_factory=list)
    """The next answers break off after so many bytes."""
    flip_byte_at: int | None = None
    """The byte of every file's content that arrives changed."""
    ranges: bool = True
    hold: threading.Event | None = None
    """After a first trickle, the rest of each file waits for this."""
    requests: list[tuple[str, str]] = field(default_factory=list)
    """(path, Range header) of every file asked for."""
    manifest_requests: int = 0
    progress: list[dict[str, object]] = field(default_factory=list)
    url: str = ""
    claimed_digest: str = ""
    """The manifest's digest, where it is to lie."""

    @property
    def digest(self) -> str:
        """The artifact's true digest."""
        return artifact_digest((path, len(data), _sha256(data)) for path, data in self.files.items())

    def manifest(self) -> bytes:
        """Answer of the manifest route."""
        files = [{"path": p, "size": len(d), "sha256": _sha256(d)} for p, d in sorted(self.files.items())]
        body = {"version_id": self.version_id, "digest": self.claimed_digest or self.digest, "format": "ONNX"}
        return json.dumps(body | {"files": files}).encode()


class _Handler(BaseHTTPRequestHandler):
    registry: RegistryServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.headers.get("authorization") != f"Bearer {TOKEN}":
            return self._whole(401, b"")
        rest = unquote(self.path.partition("?")[0]).removeprefix(PREFIX)
        if rest == self.registry.version_id:
            self.registry.manifest_requests += 1
            return self._whole(200, self.registry.manifest())
        name = rest.removeprefix(f"{self.registry.version_id}/files/")
        if name not in self.registry.files:
            return self._whole(404, b"")
        return self._file(name, self.registry.files[name])

    def do_POST(self) -> None:
        self.registry.progress.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self._whole(204, b"")

    def _file(self, name: str, data: bytes) -> None:
        asked = self.headers.get("range", "")
        self.registry.requests.append((name, asked))
        start = int(re.findall(r"bytes=(\d+)-", asked)[0]) if asked and self.registry.ranges else 0
        if self.registry.flip_byte_at is not None:
            at = self.registry.flip_byte_at
            data = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        self.send_response(206 if asked and self.registry.ranges else 200)
        if asked and self.registry.ranges:
            self.send_header("content-range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        body = data[start:]
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.registry.cut_after:
            self.wfile.write(body[: self.registry.cut_after.pop(0)])
            self.close_connection = True
            return
        if self.registry.hold is not None:
            self.wfile.write(body[:TRICKLE_BYTES])
            self.wfile.flush()
            self.registry.hold.wait(30)
            body = body[TRICKLE_BYTES:]
        self.wfile.write(body)

    def _whole(self, status: int, body: bytes) -> None:
        self.send_response(status)
        if status != 204:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Quiet."""


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *args: object) -> None:
        """Callers that leave are what some tests are about."""


@contextmanager
def registry_server(server: RegistryServer) -> Iterator[RegistryServer]:
    """Serve until the block ends."""
    handler = type("Handler", (_Handler,), {"registry": server})
    listener = _Listener(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{listener.server_port}"
    try:
        yield server
    finally:
        if server.hold is not None:
            server.hold.set()
        listener.shutdown()
        listener.server_close()
        thread.join()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
