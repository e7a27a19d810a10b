"""A gateway.yaml of thousands of keys is taken up while requests are answered: it is read by a process of its own."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from mizzen_gateway.discovery import access, access_lines
from mizzen_gateway.discovery.access_index import PAUSE_AFTER
from mizzen_gateway.standalone import apart, following
from support.alone import Alone, a_file, a_key, alone, ask, write_file
from support.scripted_engine import Exchange, completion, scripted_engine

KEYS = 2_000
DIGITS = "abcdefghij"


async def hello(exchange: Exchange) -> None:
    await exchange.send_json(completion("inner"))


def many_keys() -> str:
    """Lines of a file, behind those of the keys that are there."""
    ids = ("".join(DIGITS[int(digit)] for digit in f"{number:020d}") for number in range(KEYS))
    return "".join(f"  - {{name: of-{one}, id: key_{one}, digest: {'ab' * 32}}}\n" for one in ids)


class Watched:
    """How often others had their turn once the file was read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.turns = 0
        self.counting: asyncio.Task[None] | None = None
        monkeypatch.setattr(access, "TURN_SECONDS", 0)  # they have one at each pause, however fast this machine is
        monkeypatch.setattr(apart, "taken", self._in_this_process)
        monkeypatch.setattr(following, "read_line", self._noted)

    async def count(self) -> None:
        while True:
            self.turns += 1
            await asyncio.sleep(0)

    def _in_this_process(self, *_: Any) -> Any:
        raise AssertionError("it is read where requests are answered")

    def _noted(self, pieces: Any, before: Any) -> Any:
        self.counting = asyncio.create_task(self.count())
        return access_lines.read_line(pieces, before)


async def take_up(running: Alone, more: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Have the file taken up with these lines behind it; how many turns others had from when it was read."""
    running.path.write_text(running.path.read_text() + more)
    with monkeypatch.context() as patched:
        watched = Watched(patched)
        reading = running.gateway.read_again()
        assert reading is not None
        await reading
    if watched.counting is not None:
        watched.counting.cancel()
    return watched.turns


async def test_thousands_of_keys_are_taken_up_between_requests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key, entry = a_key()
    began, go_on = asyncio.Event(), asyncio.Event()

    async def slow(exchange: Exchange) -> None:
        began.set()
        await go_on.wait()
        await hello(exchange)

    async with scripted_engine(slow) as engine:
        url = f"http://127.0.0.1:{engine.port}"
        document = a_file(url, entry)
        document["projects"] = document.pop("projects")  # the last: keys follow
        async with alone(tmp_path, document) as running:
            state = running.gateway.accounting.state
            under_way = asyncio.create_task(ask(running.url, key))
            await began.wait()
            assert await take_up(running, many_keys(), monkeypatch) >= KEYS // PAUSE_AFTER
            assert state.index is not None
            assert (state.index.version, len(state.index.keys)) == (2, KEYS + 1)
            go_on.set()
            assert (await under_way)[0] == 200, "what was under way ends as it began"
            assert (await ask(running.url, key))[0] == 200

            lines = len(running.path.read_text().split("\n"))
            await take_up(running, "limits: [{name: l, metric: nothing, amount: 1}]\n", monkeypatch)
            assert f"gateway.yaml:{lines}: limits[0].metric: " in capsys.readouterr().out
            assert (state.index.version, len(state.index.keys)) == (2, KEYS + 1), "and nothing of it is taken up"


async def test_a_reader_that_dies_is_told_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key, entry = a_key()
    async with scripted_engine(hello) as engine:
        document = a_file(f"http://127.0.0.1:{engine.port}", entry)
        async with alone(tmp_path, document) as running:
            monkeypatch.setattr(apart, "SMALL_BYTES", 0)
            monkeypatch.setattr(sys, "executable", "/bin/false")
            write_file(running.path, document | {"projects": [{"name": "team-a"}]})
            reading = running.gateway.read_again()
            assert reading is not None
            await reading
            assert "the process that reads it ended with 1" in capsys.readouterr().out
            assert (await ask(running.url, key))[0] == 200
