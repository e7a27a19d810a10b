"""A real HTTP server that takes webhooks, on an address that stands for the network outside."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

OUTSIDE = "127.0.0.2"
SECONDS = 30


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    """By lower-case name."""
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        """The CloudEvent."""
        found: dict[str, Any] = orjson.loads(self.body)
        return found


@dataclass
class Receiver:
    """Answers with the statuses of `answers` in turn, then with 204."""

    port: int
    answers: list[int]
    requests: list[Received] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> str:
        """Where it takes events."""
        return f"http://{OUTSIDE}:{self.port}/events"

    def wait_for(self, count: int) -> list[Received]:
        """So many requests, waited for."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.requests) >= count, SECONDS), self.requests
            return list(self.requests)


class _Server(ThreadingHTTPServer):
    receiver: Receiver


@contextmanager
def webhook_receiver(answers: Sequence[int] = ()) -> Iterator[Receiver]:
    """One that listens inside the block."""
    server = _Server((OUTSIDE, 0), _Handler)
    receiver = server.receiver = Receiver(server.server_address[1], list(answers))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, _Server)
        receiver = self.server.receiver
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        with receiver.arrived:
            receiver.requests.append(Received(self.path, headers, body))
            status = receiver.answers.pop(0) if receiver.answers else 204
            receiver.arrived.notify_all()
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("location", receiver.url + "/elsewhere")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Quiet."""
