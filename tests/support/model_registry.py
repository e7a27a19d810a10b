"""The control plane's answer to "which version is that?", for tests that need nothing else of it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass
class ModelRegistry:
    """Versions by model and number, aliases by model and name. `away` makes it refuse to answer."""

    versions: dict[tuple[str, int], str] = field(default_factory=dict)
    """Digest of each version."""
    told: dict[tuple[str, int], dict[str, object]] = field(default_factory=dict)
    """More of the answer for a version: its format, its signature."""
    aliases: dict[tuple[str, str], int] = field(default_factory=dict)
    away: bool = False
    asked: int = 0
    url: str = ""

    def push(self, model: str, version: int, digest: str = "", alias: str = "", **told: object) -> None:
        """Register a version; keywords are fields of the answer, such as format and signature."""
        self.versions[model, version] = digest or f"sha256:{version:064x}"
        self.told[model, version] = told
        if alias:
            self.aliases[model, alias] = version

    def answer(self, query: dict[str, str]) -> tuple[int, dict[str, object]]:
        """Status and body."""
        self.asked += 1
        if self.away:
            return 503, {"title": "away", "status": 503}
        model = query["model"]
        known = self.aliases.get((model, query.get("alias", ""))) if "alias" in query else int(query["version"])
        if known is None:
            return 404, {"code": "alias_not_found", "detail": f"{model} has no alias {query['alias']}."}
        if (model, known) not in self.versions:
            return 404, {"code": "version_not_found", "detail": f"{model} has no version {known}."}
        return 200, {
            "version_id": f"mv_{model}{known}",
            "model": model,
            "version": known,
            "digest": self.versions[model, known],
            "format": "ONNX",
            "size_bytes": 1000,
            "state": "READY",
            "signature": {},
            "created_at": "2026-01-01T00:00:00Z",
            **self.told.get((model, known), {}),
        }


@contextmanager
def model_registry() -> Iterator[ModelRegistry]:
    """A registry that answers at its `url` meanwhile."""
    registry = ModelRegistry()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
            status, body = registry.answer(query)
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class names it so
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    registry.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
