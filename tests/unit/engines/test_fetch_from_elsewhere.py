"""Fetching from the web, from object stores and from volumes."""

import asyncio
import hashlib
import os
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import trustme
from aiohttp import web
from mizzen_engines.failure import EngineStartError, ExitCode
from mizzen_engines.fetch.__main__ import run
from mizzen_engines.fetch.digest import artifact_digest
from mizzen_engines.fetch.fetch import ArtifactFetch
from mizzen_engines.fetch.folder import ModelFolder
from mizzen_engines.fetch.http_file import HttpReader
from mizzen_engines.fetch.object_store import ObjectStoreSource
from mizzen_engines.fetch.source import Listing, RemoteFile
from mizzen_engines.fetch.transfer import Patience
from mizzen_engines.fetch.web import WebSource
from obstore.store import MemoryStore
from yarl import URL

DATA = os.urandom(400_000)
SHA = hashlib.sha256(DATA).hexdigest()
QUICK = Patience(attempts=3, first_pause_seconds=0.01)


@pytest.fixture
async def site() -> AsyncIterator[str]:
    """A website with a file, a redirect to it, and a redirect to another host."""
    targets = {"/moved": "/model.onnx", "/away": "http://169.254.169.254/latest", "/round": "/round"}

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/model.onnx":
            return web.Response(body=DATA, headers={"etag": '"1"'})
        raise web.HTTPFound(targets[request.path]) if request.path in targets else web.HTTPNotFound

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def fetch_web(url: str, root: Path, digest: str = "") -> str:
    def check(target: URL) -> None:
        if target.host != "127.0.0.1":
            raise EngineStartError(ExitCode.SOURCE_REFUSED, f"{target.host} is refused")

    async with aiohttp.ClientSession() as session:
        source = WebSource(HttpReader(session, check, lambda _: {}), URL(url))
        return await ArtifactFetch(source, url, ModelFolder(root), QUICK).run(digest)


async def test_a_file_on_the_web_keeps_its_name(site: str, tmp_path: Path) -> None:
    digest = await fetch_web(f"{site}/model.onnx", tmp_path)
    assert (tmp_path / "model.onnx").read_bytes() == DATA
    assert digest == artifact_digest([("model.onnx", len(DATA), SHA)])


async def test_a_lone_file_may_be_named_by_its_own_digest(site: str, tmp_path: Path) -> None:
    await fetch_web(f"{site}/model.onnx", tmp_path, f"sha256:{SHA}")
    with pytest.raises(EngineStartError) as caught:
        await fetch_web(f"{site}/model.onnx", tmp_path, "sha256:" + "0" * 64)
    assert caught.value.code == ExitCode.DIGEST_MISMATCH


async def test_a_redirect_is_followed_on_an_allowed_host_only(site: str, tmp_path: Path) -> None:
    await fetch_web(f"{site}/moved", tmp_path)
    with pytest.raises(EngineStartError, match=r"169\.254\.169\.254 is refused"):
        await fetch_web(f"{site}/away", tmp_path)
    with pytest.raises(EngineStartError, match="redirected more than"):
        await fetch_web(f"{site}/round", tmp_path)


async def test_a_certificate_that_is_not_trusted_ends_the_fetch_at_once(tmp_path: Path) -> None:
    shown = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(shown)
    asked: list[URL] = []
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=shown)
    url = URL(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/model.onnx")
    async with server, aiohttp.ClientSession() as session:
        source = WebSource(HttpReader(session, asked.append, lambda _: {}), url)
        with pytest.raises(EngineStartError, match="not trusted here") as caught:
            await ArtifactFetch(source, str(url), ModelFolder(tmp_path), QUICK).run("")
    assert caught.value.code == ExitCode.UNREACHABLE
    assert asked == [url]  # one try


async def test_a_missing_file_is_named(site: str, tmp_path: Path) -> None:
    with pytest.raises(EngineStartError, match="/other does not exist"):
        await fetch_web(f"{site}/other", tmp_path)


async def test_a_source_that_cannot_be_reached_is_named_after_some_tries(tmp_path: Path) -> None:
    with pytest.raises(EngineStartError) as caught:
        await fetch_web("http://127.0.0.1:9/model.onnx", tmp_path)
    assert caught.value.code == ExitCode.UNREACHABLE


async def test_every_object_below_a_prefix_is_fetched(tmp_path: Path) -> None:
    store = MemoryStore()
    await store.put_async("config.json", b"{}")
    await store.put_async("deep/weights.bin", DATA)
    source = ObjectStoreSource(store)
    await ArtifactFetch(source, "s3://bucket/m", ModelFolder(tmp_path), QUICK).run("")
    assert (tmp_path / "config.json").read_bytes() == b"{}"
    assert (tmp_path / "deep" / "weights.bin").read_bytes() == DATA


async def test_an_object_is_read_on_from_an_offset() -> None:
    store = MemoryStore()
    await store.put_async("weights.bin", DATA)
    source = ObjectStoreSource(store)
    (file,) = (await source.listing()).files
    async with source.read(file, 300_000) as body:
        assert b"".join([chunk async for chunk in body.chunks]) == DATA[300_000:]


async def test_an_empty_prefix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineStartError, match="no object"):
        await ArtifactFetch(ObjectStoreSource(MemoryStore()), "s3://b/m", ModelFolder(tmp_path), QUICK).run("")


def mounted(folder: Path, digest: str = "", uri: str = "pvc://claim/m") -> int:
    variables = {"MIZZEN_MODEL_URI": uri, "MIZZEN_MODEL_DIR": str(folder), "MIZZEN_MODEL_DIGEST": digest}
    return run(variables)


def test_a_mounted_volume_is_checked_and_left_alone(tmp_path: Path) -> None:
    assert mounted(tmp_path / "m") == ExitCode.NOT_FOUND
    (tmp_path / "m").mkdir()
    assert mounted(tmp_path / "m") == ExitCode.NOT_FOUND
    (tmp_path / "m" / "weights.bin").write_bytes(DATA)
    assert mounted(tmp_path / "m") == 0
    assert mounted(tmp_path / "m", artifact_digest([("weights.bin", len(DATA), SHA)])) == 0
    assert mounted(tmp_path / "m", "sha256:" + "0" * 64) == ExitCode.DIGEST_MISMATCH
    assert [path.name for path in (tmp_path / "m").iterdir()] == ["weights.bin"]


def test_a_name_on_the_web_that_leads_to_this_machine_is_refused(tmp_path: Path) -> None:
    assert mounted(tmp_path / "m", uri="https://localhost/model.onnx") == ExitCode.SOURCE_REFUSED


@pytest.mark.parametrize("uri", ["oci://h/x", "file:///etc/passwd", "http://h/x", "nonsense"])
def test_another_scheme_is_refused(tmp_path: Path, uri: str) -> None:
    assert mounted(tmp_path / "m", uri=uri) == ExitCode.SOURCE_REFUSED


def test_too_little_room_is_said_with_numbers(tmp_path: Path) -> None:
    fetch = ArtifactFetch(ObjectStoreSource(MemoryStore()), "s3://b/m", ModelFolder(tmp_path))
    with pytest.raises(EngineStartError, match="need 1000000000000000000 bytes more") as caught:
        fetch.check_room(Listing((RemoteFile("weights.bin", 10**18),)))
    assert caught.value.code == ExitCode.NO_SPACE
