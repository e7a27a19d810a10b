"""What answers a Prometheus query with a number that the test sets? A server for one autoscaler's one question."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass
class Load:
    """The number; `queries` are what was asked."""

    requests: int
    url: str = ""
    queries: set[str] = field(default_factory=set)

    def answer(self, target: str) -> bytes:
        """An instant vector of one value, as `/api/v1/query` gives it."""
        self.queries |= set(parse_qs(urlsplit(target).query).get("query", []))
        value = {"metric": {}, "value": [0, str(self.requests)]}
        return json.dumps({"status": "success", "data": {"resultType": "vector", "result": [value]}}).encode()


@contextmanager
def prometheus_of(load: Load) -> Iterator[Load]:
    """Serve it on 127.0.0.1 for the length of the `with`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = load.answer(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 -- the base class calls it so
            """Say nothing: the test tells what was asked."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    load.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield load
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
