"""Whom does a gateway show which token? Real sockets: two programs, and a third that must see none."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web
from mizzen_gateway.program_token import ProgramTokens


@dataclass
class Program:
    """A server that remembers what it was shown."""

    url: str = ""
    shown: list[str] = field(default_factory=list)
    status: int = 200

    async def answer(self, request: web.Request) -> web.Response:
        self.shown.append(request.headers.get("authorization", ""))
        return web.Response(status=self.status)


@asynccontextmanager
async def programs(count: int) -> AsyncIterator[list[Program]]:
    async with AsyncExitStack() as stack:
        every = [Program() for _ in range(count)]
        for program in every:
            runner = web.ServerRunner(web.Server(program.answer))
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            program.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield every


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


async def test_each_program_sees_its_own_token_and_others_none(tmp_path: Path) -> None:
    async with programs(3) as (control, operator, engine):
        tokens = ProgramTokens(
            {control.url: written(tmp_path / "c", "for-c\n"), operator.url + "/": written(tmp_path / "o", "for-o")}
        )
        async with aiohttp.ClientSession(middlewares=(tokens,)) as session:
            for program in (control, operator, engine):
                async with session.get(f"{program.url}/any/path?x=1") as answer:
                    assert answer.status == 200
        assert [program.shown for program in (control, operator, engine)] == [["Bearer for-c"], ["Bearer for-o"], [""]]


async def test_a_rotated_token_is_the_next_requests(tmp_path: Path) -> None:
    file = written(tmp_path / "token", "old")
    async with (
        programs(1) as (control,),
        aiohttp.ClientSession(middlewares=(ProgramTokens({control.url: file}),)) as http,
    ):
        await http.get(control.url)
        written(tmp_path / "fresh", "new").rename(file)
        await http.get(control.url)
        file.unlink()
        await http.get(control.url)
        assert control.shown == ["Bearer old", "Bearer new", "Bearer new"]


async def test_a_refused_token_is_read_again_though_its_file_looks_the_same(tmp_path: Path) -> None:
    import os

    file = written(tmp_path / "token", "old")
    times = file.stat()
    async with (
        programs(1) as (control,),
        aiohttp.ClientSession(middlewares=(ProgramTokens({control.url: file}),)) as http,
    ):
        control.status = 401
        await http.get(control.url)
        file.write_text("new")
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
        await http.get(control.url)
        assert control.shown == ["Bearer old", "Bearer new"]
