"""The access feed against a real HTTP server that a test drives line by line."""

import asyncio
import os
import time
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from mizzen_crds.access import AccessDelta, AccessFeedLine, KeyAccess
from mizzen_crds.access_signature import signed_line, signing_key
from mizzen_gateway.discovery.access import AccessFeed, in_turns
from mizzen_gateway.discovery.access_building import index_snapshot
from mizzen_gateway.discovery.access_index import AccessState
from mizzen_gateway.discovery.access_lines import read_line
from support.access_snapshots import KEY_ID, PEPPER, a_key, a_limit, a_snapshot
from support.until import until


class FeedServer:
    """Sends the lines that a test puts into it; None ends the connection."""

    def __init__(self) -> None:
        self.lines: asyncio.Queue[AccessFeedLine | bytes | None] = asyncio.Queue()
        self.asked: list[str] = []

    async def watch(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.query["after"])
        response = web.StreamResponse()
        await response.prepare(request)
        while (line := await self.lines.get()) is not None:
            await response.write(line if isinstance(line, bytes) else text_of(line))
        return response


@asynccontextmanager
async def following(folder, state: AccessState):
    server = FeedServer()
    app = web.Application()
    app.router.add_get("/internal/v1/access/watch", server.watch)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with aiohttp.ClientSession() as session:
        feed = AccessFeed(session, f"http://127.0.0.1:{port}", state, folder / "access.json", PEPPER)
        task = asyncio.create_task(feed.run())
        try:
            yield server
        finally:
            task.cancel()
            server.lines.put_nowait(None)
            await asyncio.gather(task, return_exceptions=True)
            await runner.cleanup()


def text_of(line: AccessFeedLine, pepper: bytes = PEPPER) -> bytes:
    body = line.snapshot or line.delta
    if body is None:
        return line.model_dump_json().encode() + b"\n"
    return signed_line(signing_key(pepper), line.type, line.version, body.model_dump_json().encode())


def delta(after: int, version: int, *keys: KeyAccess, removed: tuple[str, ...] = ()) -> AccessFeedLine:
    change = AccessDelta(after=after, version=version, keys=list(keys), removed_keys=list(removed))
    return AccessFeedLine(type="DELTA", version=version, delta=change)


def news(version: int, **fields: object) -> AccessFeedLine:
    return AccessFeedLine(type="SNAPSHOT", version=version, snapshot=a_snapshot(version, **fields))


async def test_each_change_is_in_force_as_it_arrives(tmp_path):
    state = AccessState(60)
    async with following(tmp_path, state) as server:
        server.lines.put_nowait(news(3))
        await until(lambda: state.index is not None and state.index.version == 3)
        server.lines.put_nowait(news(4, keys=[]))
        await until(lambda: state.index is not None and state.index.version == 4)
    assert state.index is not None
    assert state.index.keys == {}


async def test_a_heartbeat_of_the_same_version_confirms_what_is_there(tmp_path):
    state = AccessState(60)
    async with following(tmp_path, state) as server:
        server.lines.put_nowait(news(3))
        await until(lambda: state.swaps == 1)
        state.confirmed_at = 0.0
        server.lines.put_nowait(AccessFeedLine(type="HEARTBEAT", version=3))
        await until(lambda: state.confirmed_at > 0)
    assert state.age_seconds() < 60


async def test_after_a_break_it_goes_on_from_the_version_it_has(tmp_path):
    state = AccessState(60)
    async with following(tmp_path, state) as server:
        server.lines.put_nowait(news(7))
        await until(lambda: state.swaps == 1)
        server.lines.put_nowait(None)
        await until(lambda: len(server.asked) == 2)
        assert server.asked == ["0", "7"]


async def test_a_start_without_the_control_plane_goes_on_with_the_copy_and_its_age(tmp_path):
    async with following(tmp_path, state := AccessState(60)) as server:
        server.lines.put_nowait(news(5, limits=[a_limit(7)], keys=[a_key(models=["m"])]))
        copy = tmp_path / "access.json"
        await until(copy.exists)
    assert copy.stat().st_mode & 0o777 == 0o600
    os.utime(copy, (time.time() - 50, time.time() - 50))
    later = AccessState(60)
    async with aiohttp.ClientSession() as session:
        assert AccessFeed(session, "http://127.0.0.1:9", later, copy, PEPPER).load_cache()
    assert later.index == state.index
    assert later.current(time.time()) is not None
    assert later.current(time.time() + 11) is None


async def test_a_copy_that_is_damaged_is_passed_over(tmp_path):
    copy = tmp_path / "access.json"
    copy.write_bytes(b'{"version": 1, "keys"')
    state = AccessState(60)
    async with aiohttp.ClientSession() as session:
        assert not AccessFeed(session, "http://127.0.0.1:9", state, copy, PEPPER).load_cache()
    assert state.index is None


async def test_requests_have_their_turn_while_a_long_line_is_read():
    news_of_many = news(3, keys=[a_key(f"key_{number}") for number in range(5000)])
    turns, raw = 0, news_of_many.model_dump_json().encode()

    async def count_turns():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_turns())
    line = await in_turns(read_line([raw], None))
    counting.cancel()
    assert line is not None
    assert line.index is not None
    assert len(line.index.keys) == 5000
    assert turns > 3


async def test_a_line_that_cannot_be_read_changes_nothing_and_the_feed_begins_again(tmp_path):
    state = AccessState(60)
    async with following(tmp_path, state) as server:
        server.lines.put_nowait(news(3))
        await until(lambda: state.swaps == 1)
        before = state.index
        server.lines.put_nowait(news(4, keys=[a_key(digest="no digest")]))
        await until(lambda: len(server.asked) == 2)
        assert state.index is before
        server.lines.put_nowait(None)  # for the first connection, which still waits for a line
        server.lines.put_nowait(news(5))
        await until(lambda: state.swaps == 2)
    assert server.asked == ["0", "3"]


async def test_an_index_that_is_no_longer_in_force_is_emptied_and_leaves_the_next_one_whole(tmp_path):
    state = AccessState(60)
    many, limits = [a_key(f"key_{number}") for number in range(200)], [a_limit(5)]
    async with following(tmp_path, state) as server:
        server.lines.put_nowait(news(3, keys=many, limits=limits))
        await until(lambda: state.swaps == 1)
        before = state.index
        assert before is not None
        server.lines.put_nowait(news(4, keys=many[1:], limits=limits))
        await until(lambda: not before.keys and not before.limits.entries)
    assert state.index == index_snapshot(a_snapshot(4, keys=many[1:], limits=limits))


async def test_a_change_of_one_key_is_in_force_without_the_others_being_sent(tmp_path):
    state, others = AccessState(60), [a_key(f"key_{number}") for number in range(3)]
    async with following(tmp_path, state) as server:
        server.lines.put_nowait(news(3, keys=[a_key(), *others]))
        server.lines.put_nowait(delta(3, 5, a_key("key_new"), a_key("key_0", models=["m"]), removed=(KEY_ID,)))
        await until(lambda: state.swaps == 2)
        assert state.index is not None
        assert set(state.index.keys) == {"key_new", "key_0", "key_1", "key_2"}
        assert state.index.keys["key_0"].caller.models == {"m"}
        server.lines.put_nowait(None)
        await until(lambda: len(server.asked) == 2)
    assert server.asked == ["0", "5"]


async def test_a_start_without_the_control_plane_knows_what_deltas_said(tmp_path):
    async with following(tmp_path, state := AccessState(60)) as server:
        server.lines.put_nowait(news(3, keys=[a_key(), a_key("key_1")]))
        server.lines.put_nowait(delta(3, 4, removed=(KEY_ID,)))
        server.lines.put_nowait(delta(4, 5, a_key("key_2")))
        copy = tmp_path / "access.json"
        await until(lambda: copy.exists() and b"key_2" in copy.read_bytes())
    again = AccessState(60)
    async with aiohttp.ClientSession() as session:
        assert AccessFeed(session, "http://127.0.0.1:9", again, copy, PEPPER).load_cache()
    assert again.index is not None
    assert (again.index.version, set(again.index.keys)) == (5, {"key_1", "key_2"})
    assert again.index == state.index


async def test_a_copy_that_lacks_a_delta_is_passed_over_since_it_could_bring_back_a_key(tmp_path):
    copy = tmp_path / "access.json"
    for lines, usable in (
        ((news(3), delta(3, 4), delta(4, 5)), True),
        ((news(3), delta(4, 5)), False),
        ((delta(3, 4),), False),
    ):
        copy.write_bytes(b"".join(text_of(line) for line in lines))
        async with aiohttp.ClientSession() as session:
            feed = AccessFeed(session, "http://127.0.0.1:9", AccessState(60), copy, PEPPER)
            assert feed.load_cache() is usable


@pytest.mark.parametrize(
    "line",
    [
        news(4, keys=[]).model_dump_json().encode() + b"\n",
        text_of(news(4, keys=[]), b"another pepper"),
        text_of(news(4, keys=[])).replace(b'"keys":[]', b'"keys": []'),
        text_of(delta(3, 4, removed=(KEY_ID,)), b"another pepper"),
    ],
    ids=["unsigned", "another-key", "changed-text", "delta"],
)
async def test_what_the_control_plane_has_not_signed_is_refused(tmp_path, line: bytes):
    state = AccessState(60)
    async with following(tmp_path, state) as server:
        server.lines.put_nowait(news(3))
        await until(lambda: state.swaps == 1)
        server.lines.put_nowait(line)
        await until(lambda: len(server.asked) == 2)
    assert state.index is not None
    assert (state.index.version, set(state.index.keys)) == (3, {KEY_ID})
    (tmp_path / "access.json").write_bytes(line)
    async with aiohttp.ClientSession() as session:
        assert not AccessFeed(
            session, "http://127.0.0.1:9", AccessState(60), tmp_path / "access.json", PEPPER
        ).load_cache()


async def test_a_snapshot_that_is_older_than_what_is_in_force_is_refused(tmp_path):
    state = AccessState(60)
    async with following(tmp_path, state) as server:
        server.lines.put_nowait(news(7, keys=[]))
        await until(lambda: state.swaps == 1)
        server.lines.put_nowait(news(6))
        await until(lambda: len(server.asked) == 2)
    assert state.index is not None
    assert (state.index.version, state.index.keys) == (7, {})


async def test_after_a_delta_that_does_not_fit_the_whole_snapshot_is_asked_for(tmp_path):
    state = AccessState(60)
    async with following(tmp_path, state) as server:
        server.lines.put_nowait(news(7))
        await until(lambda: state.swaps == 1)
        server.lines.put_nowait(delta(6, 8, removed=(KEY_ID,)))
        await until(lambda: len(server.asked) == 2)
        assert server.asked == ["0", "0"]
        server.lines.put_nowait(None)  # for the first connection, which still waits for a line
        server.lines.put_nowait(news(8, keys=[]))
        await until(lambda: state.swaps == 2)
