"""Anchors go to a folder or an endpoint that only grows, and come back."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from mizzen_controlplane.audit.anchors import HEAD, Anchor, AnchorKeys, anchor_of
from mizzen_controlplane.audit.sinks import SinkError, sink_from
from mizzen_controlplane.kit.settings import SettingsError

LINE = AnchorKeys(["22" * 32]).sign(7, HEAD, "a" * 64, "2026-11-01T08:00:00+00:00").line()


@pytest.fixture
def endpoint() -> Iterator[str]:
    """The URL of a server that keeps lines for whoever has the token."""
    kept = list[bytes]()

    class Keeper(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            known = self.headers["authorization"] == "Bearer t"
            kept.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(204 if known else 401)
            self.end_headers()

        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"".join(kept))

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Keeper) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/anchors"
        server.shutdown()


async def test_a_folder_keeps_lines_also_after_one_that_was_torn(tmp_path: Path) -> None:
    sink = sink_from(tmp_path.as_uri())
    assert sink is not None
    assert await sink.lines() == []
    await sink.append(LINE)
    (tmp_path / "anchors.jsonl").open("ab").write(b'{"number": 8, "ki')
    await sink.append(LINE)
    assert [anchor_of(line) is not None for line in await sink.lines()] == [True, False, True]


async def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    sink = sink_from((tmp_path / "gone").as_uri())
    assert sink is not None
    with pytest.raises(SinkError, match="cannot be appended to"):
        await sink.append(LINE)


async def test_an_endpoint_keeps_lines_for_who_has_its_token(endpoint: str) -> None:
    sink, stranger = sink_from(endpoint, "t"), sink_from(endpoint)
    assert sink is not None
    assert stranger is not None
    await sink.append(LINE)
    assert [anchor_of(line) for line in await sink.lines()] == [anchor_of(LINE)]
    with pytest.raises(SinkError, match="answered 401 to POST"):
        await stranger.append(LINE)


@pytest.mark.parametrize("url", ["s3://bucket/a", "http://example.org/a", "file://host/a", "anchors"])
def test_a_sink_that_is_not_taken_is_refused_by_its_variable(url: str) -> None:
    with pytest.raises(SettingsError, match="MIZZEN_AUDIT_SINK"):
        sink_from(url)


def test_a_statement_holds_for_what_was_signed_alone() -> None:
    keys, anchor = AnchorKeys(["22" * 32]), anchor_of(LINE)
    assert isinstance(anchor, Anchor)
    assert keys.vouch_for(anchor)
    assert AnchorKeys([f"public:{public}" for public in keys.public.values()]).vouch_for(anchor)
    assert not AnchorKeys(["33" * 32]).vouch_for(anchor)
    for other in ({"number": 8}, {"kind": "base"}, {"hash": "b" * 64}, {"at": "2026-11-02"}, {"signature": "zz"}):
        changed = {name: getattr(anchor, name) for name in Anchor.__slots__} | other
        assert not keys.vouch_for(Anchor(**changed))
