"""The access feed against a real HTTP server that a test drives line by line."""

import asyncio
import os
import time
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web
from mizzen_crds.access import AccessFeedLine
from mizzen_gateway.discovery.access import AccessFeed, in_turns
from mizzen_gateway.discovery.access_building import index_snapshot
from mizzen_gateway.discovery.access_index import AccessState
from mizzen_gateway.discovery.access_lines import read_line
from support.access_snapshots import a_key, a_limit, a_snapshot
from support.until import until


class FeedServer:
    """Sends the lines that a test puts into it; None ends the connection."""

    def __init__(self) -> None:
        self.lines: asyncio.Queue[AccessFeedLine | None] = asyncio.Queue()
        self.asked: list[str] = []

    async def watch(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.query["after"])
        response = web.StreamResponse()
        await response.prepare(request)
        while (line := await self.lines.get()) is not None:
            await response.write(line.model_dump_json().encode() + b"\n")
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
        feed = AccessFeed(session, f"http://127.0.0.1:{port}", state, folder / "access.json")
        task = asyncio.create_task(feed.run())
        try:
            yield server
        finally:
            task.cancel()
            server.lines.put_nowait(None)
            await asyncio.gather(task, return_exceptions=True)
            await runner.cleanup()


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
        assert AccessFeed(session, "http://127.0.0.1:9", later, copy).load_cache()
    assert later.index == state.index
    assert later.current(time.time()) is not None
    assert later.current(time.time() + 11) is None


async def test_a_copy_that_is_damaged_is_passed_over(tmp_path):
    copy = tmp_path / "access.json"
    copy.write_bytes(b'{"version": 1, "keys"')
    state = AccessState(60)
    async with aiohttp.ClientSession() as session:
        assert not AccessFeed(session, "http://127.0.0.1:9", state, copy).load_cache()
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
