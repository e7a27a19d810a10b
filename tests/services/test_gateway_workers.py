"""Workers under a supervisor: watched, replaced without a refused connection, ended together, counted together."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import aiohttp
import pytest
from support.access_snapshots import a_limit
from support.free_ports import free_port
from support.gateway import endpoint_set, gateway_environment, make_key, make_snapshot, model_deployment
from support.limit_servers import running_valkey
from support.scripted_engine import Exchange, chunk, completion, scripted_engine
from support.supervised_gateway import supervised_gateway
from support.until import until
from tritonclient.grpc import InferenceServerClient

KEY = make_key()
SNAPSHOT = make_snapshot([KEY])
CHAT = "/v1/chat/completions"
ASK = {"model": "chat", "messages": [{"role": "user", "content": "hello"}]}


async def well(exchange: Exchange) -> None:
    await exchange.send_json(completion("chat"))


async def text_of(url: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return await answer.text()


async def status_of(url: str) -> int:
    async with aiohttp.ClientSession(headers=KEY.headers) as session, session.post(url, json=ASK) as answer:
        return answer.status


def none_alive(workers: set[int]) -> bool:
    return not any(map(alive, workers))


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


class Load:
    """Callers who never stop: some keep their connection, some open one for each request."""

    def __init__(self, url: str) -> None:
        self.url = url + CHAT
        self.seen: Counter[str] = Counter()
        self.tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Load":
        self.tasks = [asyncio.create_task(self._call(keep=number % 2 == 0)) for number in range(6)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _call(self, keep: bool) -> None:
        connector = aiohttp.TCPConnector(force_close=not keep)
        async with aiohttp.ClientSession(headers=KEY.headers, connector=connector) as session:
            while True:
                try:
                    async with session.post(self.url, json=ASK) as answer:
                        await answer.read()
                        self.seen[str(answer.status)] += 1
                except aiohttp.ClientError as error:
                    self.seen[repr(error)] += 1

    async def more(self, count: int) -> None:
        """Until so many more have been answered."""
        wanted = self.seen.total() + count
        await until(lambda: self.seen.total() >= wanted, 30)


async def test_workers_are_replaced_without_a_refused_connection(tmp_path: Path) -> None:
    async with scripted_engine(well) as engine:
        documents = model_deployment("chat"), endpoint_set("chat", engine.address)
        with supervised_gateway(tmp_path, SNAPSHOT, *documents, MIZZEN_DRAIN_SECONDS="10") as running:
            before = running.workers
            async with Load(running.url) as load:
                await load.more(50)
                for _ in range(2):
                    old = running.workers
                    running.signal(signal.SIGHUP)
                    await until(partial(none_alive, old), 60)
                    await load.more(50)
                assert set(load.seen) == {"200"}, load.seen
            assert len(running.workers) == 1
            assert not running.workers & before
            counted = await text_of(running.admin_url + "/metrics")
            assert 'mizzen_gateway_workers{state="serving"} 1' in counted


async def test_a_stream_under_way_ends_well_while_workers_are_replaced(tmp_path: Path) -> None:
    go = asyncio.Event()

    async def waits(exchange: Exchange) -> None:
        await exchange.start_events()
        await exchange.event(chunk("chat", "begun"))
        await go.wait()
        await exchange.event(chunk("chat", "ended"))
        await exchange.event(b"[DONE]")
        await exchange.end_events()

    async with scripted_engine(waits) as engine:
        documents = model_deployment("chat"), endpoint_set("chat", engine.address)
        with supervised_gateway(tmp_path, SNAPSHOT, *documents) as running:
            async with aiohttp.ClientSession(headers=KEY.headers) as session:
                async with session.post(running.url + CHAT, json={**ASK, "stream": True}) as answer:
                    assert b"begun" in await answer.content.readuntil(b"\n\n")
                    [old] = running.workers
                    running.signal(signal.SIGHUP)
                    await until(lambda: "fresh workers serve" in running.log.read_text(), 60)
                    assert alive(old)
                    go.set()
                    rest = await answer.content.read()
                assert b"ended" in rest
                assert rest.endswith(b"data: [DONE]\n\n")
            await until(partial(none_alive, {old}), 30)


async def test_two_workers_share_limits_and_tell_their_numbers_together(tmp_path: Path) -> None:
    limit = a_limit(20, window_seconds=86_400, scope_id=KEY.access.project_id)
    snapshot = make_snapshot([KEY], limits=[limit])
    with running_valkey() as store:
        async with scripted_engine(well) as engine:
            documents = model_deployment("chat"), endpoint_set("chat", engine.address)
            grpc_port = free_port()
            environment = {"MIZZEN_LIMITS_STORE": store.url, "MIZZEN_GRPC_PORT": str(grpc_port)}
            with supervised_gateway(tmp_path, snapshot, *documents, workers=2, **environment) as running:
                await until(lambda: running.log.read_text().count("gateway listens") == 2, 60)
                old = running.workers
                running.signal(signal.SIGHUP)
                await until(partial(none_alive, old), 60)
                with InferenceServerClient(f"127.0.0.1:{grpc_port}") as grpc_client:
                    assert await asyncio.to_thread(grpc_client.is_server_live)
                statuses = Counter([await status_of(running.url + CHAT) for _ in range(60)])
                assert statuses == {200: 20, 429: 40}
                counted = await text_of(running.admin_url + "/metrics")
        names = {path.name for path in (tmp_path / "data").glob("worker-*")}
        used = [path for path in (tmp_path / "data").glob("worker-*/spool/*.spool") if path.stat().st_size]
    requests = [line for line in counted.splitlines() if line.startswith("mizzen_gateway_requests_total")]
    assert [line.rpartition(" ")[2] for line in requests] == ["20.0"], requests
    assert names == {f"worker-{number}" for number in range(4)}, "two that were replaced, two that replaced them"
    assert len(used) == 2


def requests_counted(metrics: str) -> float:
    lines = [line for line in metrics.splitlines() if line.startswith("mizzen_gateway_requests_total")]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


async def test_a_worker_that_dies_is_started_again_and_what_it_counted_stays_counted(tmp_path: Path) -> None:
    async with scripted_engine(well) as engine:
        documents = model_deployment("chat"), endpoint_set("chat", engine.address)
        with supervised_gateway(tmp_path, SNAPSHOT, *documents) as running:
            for count in (1, 2):
                assert await status_of(running.url + CHAT) == 200
                assert requests_counted(await text_of(running.admin_url + "/metrics")) == count
                [pid] = running.workers
                os.kill(pid, signal.SIGKILL)
                await until(partial(none_alive, {pid}), 20)
                await until(lambda: running.workers, 20)
            assert await status_of(running.url + CHAT) == 200
            counted = await text_of(running.admin_url + "/metrics")
            assert requests_counted(counted) == 3
            assert "mizzen_gateway_worker_restarts_total 2" in counted


async def test_where_fresh_workers_cannot_start_the_old_ones_stay(tmp_path: Path) -> None:
    async with scripted_engine(well) as engine:
        documents = model_deployment("chat"), endpoint_set("chat", engine.address)
        with supervised_gateway(tmp_path, SNAPSHOT, *documents) as running:
            before = running.workers
            (tmp_path / "pepper").unlink()
            running.signal(signal.SIGHUP)
            await until(lambda: "a fresh worker ended before it was ready" in running.log.read_text(), 100)
            assert running.workers == before
            assert await status_of(running.url + CHAT) == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_workers_end_with_their_supervisor(tmp_path: Path, number: signal.Signals) -> None:
    with supervised_gateway(tmp_path, SNAPSHOT) as running:
        workers = running.workers
        assert len(workers) == 1
        running.signal(number)
        code = await asyncio.to_thread(running.process.wait, 30)
        await until(lambda: not any(map(alive, workers)), 30)
        assert code == (0 if number == signal.SIGTERM else -signal.SIGKILL)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"MIZZEN_DATA_DIR": "/proc/nowhere"}, "MIZZEN_DATA_DIR"),
        ({"MIZZEN_PORT": "TAKEN"}, "MIZZEN_PORT: cannot listen"),
        ({"MIZZEN_ADMIN_PORT": "TAKEN"}, "MIZZEN_ADMIN_PORT: cannot listen"),
        ({"MIZZEN_WORKERS": "2"}, "set MIZZEN_LIMITS_STORE"),
    ],
)
def test_what_does_not_let_workers_start_is_one_sentence_and_exit_code_2(
    tmp_path: Path, change: dict[str, str], said: str
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        filled = {name: value.replace("TAKEN", str(taken.getsockname()[1])) for name, value in change.items()}
        variables = {name: value for name, value in os.environ.items() if not name.startswith("MIZZEN_")}
        environment = {**variables, **gateway_environment(tmp_path), "MIZZEN_WORKERS": "1", **filled}
        words = [sys.executable, "-m", "mizzen_gateway"]
        ended = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2, ended.stderr
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
