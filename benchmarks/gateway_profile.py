"""Where do the microseconds of a request go? The whole gateway in one process, without sockets and other programs.

What a caller sends is put into a connection's `data_received`, what an engine answers into its own: what lies between
is what runs in production, with key, grant, six limits, a budget, a price, routing, the spool and metrics. Prints the
CPU of a request and its parts. STREAM=1 takes an event of a stream, LINES=1 shows functions and lines, BLOCKS is how
often it is tried: of many short tries one of the fastest counts, which is one that nobody disturbed. COUNT=1 counts
instructions instead of time, the same on a busy machine: what a change has gained is seen by it first.
"""

import asyncio
import itertools
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import aiohttp
import interpreter
import uvloop
from gateway_plane import PEPPER, deployment, endpoint_set, make_keys, snapshot_of
from gateway_requests import chat
from instruction_count import Counted, counted_run, library_path
from mizzen_gateway.discovery.access_building import index_snapshot
from mizzen_gateway.engine.connection import EngineConnection
from mizzen_gateway.engine.pool import Address
from mizzen_gateway.process import calm_the_collector
from mizzen_gateway.settings import read_settings
from mizzen_gateway.wiring import Gateway
from pinned_process import CORE_OF_THE_MEASURED

REQUESTS, STREAMS = 25, 2
"""In a block: few, so that some blocks run without a break."""
EVENTS = 256
BLOCKS = 2000
COUNTED = 200
"""Requests, or a hundredth of it streams, whose instructions are counted."""
FASTEST = 50
"""One of so many blocks is as fast as what is told, or faster."""
SAMPLE_SECONDS = 0.0005
ENGINE = ("127.0.0.1", 9)
ANSWER = {
    "id": "chatcmpl-bench",
    "object": "chat.completion",
    "created": 1767225600,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "The gateway reads a request. " * 9},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 64, "total_tokens": 112, "completion_tokens": 48},
}
STEPS = {
    "auth/": "key checked",
    "wire/": "bytes of the caller become a request",
    "wire/response.py": "answer sent",
    "protocols/": "JSON parsed, held to the rules",
    "protocols/openai/call.py:OpenAICall.engine_request": "engine's request made",
    "protocols/openai/call.py:OpenAICall.estimate": "bound of the request, and that it is one",
    "protocols/openai/call.py:OpenAICall._why_unbounded": "bound of the request, and that it is one",
    "protocols/openai/duplicates.py": "bound of the request, and that it is one",
    "protocols/openai/answer.py": "answer looked at for its usage",
    "protocols/openai/tail.py": "answer looked at for its usage",
    "limits/": "limits and budget taken, and settled",
    "limits/refusals.py": "what is left of the limits told",
    "routing/": "deployment and endpoint found",
    "engine/": "engine asked, its response parsed",
    "metering/": "intent and row written",
    "telemetry/": "metrics",
    "pipeline.py": "passed from one step to the next",
    "forwarding.py": "passed from one step to the next",
    "at_once.py": "tasks woken",
}
"""By place, of which the longest that fits counts."""


class Wire(asyncio.Transport):
    """A connection whose other end is a function of what is written."""

    def __init__(self, answer: Callable[[bytes], None]) -> None:
        super().__init__()
        self._answer = answer

    def write(self, data: Any) -> None:
        """Hand it to the other end."""
        self._answer(data)

    def writelines(self, list_of_data: Any) -> None:
        """The same."""
        self._answer(b"".join(list_of_data))

    def is_closing(self) -> bool:
        """Never."""
        return False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There is no buffer."""

    def abort(self) -> None:
        """Somebody did not like what came."""
        raise RuntimeError("the connection was cut: see what the gateway logged")

    close = abort


def response(content_type: str, body: bytes) -> bytes:
    """A whole response of an engine."""
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def events() -> list[bytes]:
    """A stream as it comes: the head, events, the end."""
    made = [b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"]
    chunk = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1767225600, "model": "m"}
    said: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "delta": {"content": f"word{number:06d} "}, "finish_reason": None}]}
        for number in range(EVENTS)
    ]
    for part in (*said, {"choices": [], "usage": ANSWER["usage"]}):
        event = b"data: " + json.dumps({**chunk, **part}, separators=(",", ":")).encode() + b"\n\n"
        made.append(b"%x\r\n%b\r\n" % (len(event), event))
    made.append(b"0\r\n\r\n")
    return made


class Bench:
    """A gateway between one caller and one engine, both in this process."""

    def __init__(self, gateway: Gateway, request: bytes, *, stream: bool) -> None:
        self._loop = asyncio.get_running_loop()
        self._request = request
        self._stream = events() if stream else []
        self._whole = response("application/json", json.dumps(ANSWER, separators=(",", ":")).encode())
        self._left = 0
        self._done = asyncio.Event()
        self._engine = EngineConnection(self._loop, "127.0.0.1:9")
        self._engine.connection_made(Wire(self._asked))
        gateway.pool.connect = self._connect  # type: ignore[method-assign]  # the engine is here
        self._caller = gateway.server.connection()
        self._caller.connection_made(Wire(self._answered))

    async def _connect(self, address: Address) -> EngineConnection:  # noqa: ARG002  # as the pool's own
        return self._engine

    def _asked(self, data: bytes) -> None:
        """Each answer comes in a turn of the event loop of its own, as from a socket."""
        if bytes(data[:4]) == b"GET ":
            self._loop.call_soon(self._engine_says, b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
        elif self._stream:
            self._loop.call_soon(self._engine_goes_on, 0)
        else:
            self._loop.call_soon(self._engine_says, self._whole)

    def _engine_says(self, data: bytes) -> None:
        self._engine.get_buffer(-1)[: len(data)] = data
        self._engine.buffer_updated(len(data))

    def _engine_goes_on(self, number: int) -> None:
        self._engine_says(self._stream[number])
        if number + 1 < len(self._stream):
            self._loop.call_soon(self._engine_goes_on, number + 1)

    def _answered(self, data: bytes) -> None:
        if self._stream and not data.endswith(b"0\r\n\r\n"):
            return
        if not self._stream and not data.startswith(b"HTTP/1.1 200 OK"):
            raise RuntimeError(f"refused: {bytes(data)!r}")
        self._left -= 1
        if self._left:
            self._loop.call_soon(self._caller.data_received, self._request)
        else:
            self._done.set()

    async def block(self, requests: int) -> float:
        """Microseconds of CPU for each."""
        self._left = requests
        self._done.clear()
        began = time.thread_time()
        self._loop.call_soon(self._caller.data_received, self._request)
        await self._done.wait()
        return (time.thread_time() - began) / requests * 1e6


class Sampler:
    """Which function runs, asked every so often of CPU time."""

    def __init__(self) -> None:
        self.steps: Counter[str] = Counter()
        self.functions: Counter[str] = Counter()
        self.lines: Counter[str] = Counter()

    def start(self) -> None:
        """Begin."""
        signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, SAMPLE_SECONDS, SAMPLE_SECONDS)

    def stop(self) -> None:
        """End."""
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _look(self, _number: int, frame: FrameType | None) -> None:
        if frame is None:
            return
        self.functions[place(frame)] += 1
        self.lines[f"{place(frame)}:{frame.f_lineno}"] += 1
        self.steps[step_of(frame)] += 1


def place(frame: FrameType) -> str:
    """Where it is: file within the gateway's package, and function."""
    code = frame.f_code
    _, _, file = code.co_filename.rpartition("/mizzen_gateway/")
    return f"{file}:{code.co_qualname}"


def step_of(frame: FrameType | None) -> str:
    """What it is part of: the innermost function that a step is named for."""
    while frame is not None:
        here = place(frame)
        fits = [one for one in STEPS if here.startswith(one)]
        if fits:
            return STEPS[max(fits, key=len)]
        frame = frame.f_back
    return "event loop, and this benchmark"


async def measured(folder: Path, *, blocks: int, stream: bool) -> tuple[list[float], Sampler]:
    """CPU of each block without being looked at, then what is seen in as many more."""
    keys = make_keys(100, 1)
    (folder / "token").write_text("mzt_gateway_bench")
    (folder / "pepper").write_text(PEPPER)
    settings = read_settings(
        {
            "MIZZEN_CONTROLPLANE_URL": "http://127.0.0.1:9",
            "MIZZEN_TOKEN_FILE": str(folder / "token"),
            "MIZZEN_PEPPER_FILE": str(folder / "pepper"),
            "MIZZEN_DATA_DIR": str(folder / "data"),
        }
    )
    sampler, found = Sampler(), []
    async with aiohttp.ClientSession() as session:
        gateway = Gateway(settings, session)
        gateway.accounting.state.put(index_snapshot(snapshot_of(keys)), time.time())
        gateway.objects.put(deployment("m"))
        gateway.objects.put(endpoint_set("m", "OpenAI", ENGINE[1], "m"))
        account = gateway.accounting.leases.account("bud_bench")
        account.credit, account.usable_until, account.remaining = 10**24, time.time() + 3600, 0
        bench = Bench(gateway, chat(keys[0].text, stream=stream), stream=stream)
        calm_the_collector()
        each = STREAMS if stream else REQUESTS
        await bench.block(each)
        library = library_path()
        if library is not None:
            await counted(bench, Counted(library), each)
            return [], sampler
        for number in itertools.count():
            if number == blocks:
                sampler.start()
            if number == 2 * blocks:
                break
            took = await bench.block(each)
            if number < blocks:
                found.append(took)
        sampler.stop()
    return found, sampler


async def counted(bench: Bench, counting: Counted, each: int) -> None:
    """One block, after another that makes everything that is made once."""
    await bench.block(COUNTED // 25 * each)
    counting.begin()
    await bench.block(COUNTED // 25 * each)
    counting.end()


def told(title: str, counts: Counter[str], microseconds: float, most: int) -> None:
    """A table, largest first."""
    whole = sum(counts.values())
    print(f"\n| {title} | us | % |\n|---|---:|---:|")
    for name, count in counts.most_common(most):
        print(f"| {name} | {count / whole * microseconds:.2f} | {count / whole * 100:.1f} |")


def main() -> int:
    """Measure and print."""
    stream, blocks = os.environ.get("STREAM") == "1", int(os.environ.get("BLOCKS", str(BLOCKS)))
    memory = Path("/dev/shm")  # the spool writes, and no disk is measured
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        found, sampler = uvloop.run(measured(Path(name), blocks=blocks, stream=stream))
    if not found:
        return 0
    parts, what = (EVENTS + 2, "an event of a stream") if stream else (1, "a request")
    fastest = statistics.quantiles(found, n=FASTEST)[0] / parts
    print(f"{fastest:.2f} us for {what} ({statistics.median(found) / parts:.2f} at the median of {blocks} blocks)")
    told("step", sampler.steps, fastest, len(STEPS))
    if os.environ.get("LINES") == "1":
        told("function", sampler.functions, fastest, 50)
        told("line", sampler.lines, fastest, 50)
    return 0


def on_the_measured_python() -> int:
    """Exit code of this program on the interpreter and the core that benchmarks measure on."""
    path = os.pathsep.join(filter(None, (str(Path(__file__).parent), os.environ.get("PYTHONPATH", ""))))
    program = interpreter.command("gateway_profile")
    environment = {**os.environ, "PYTHONPATH": path, "MEASURED": "1"}
    if os.environ.get("COUNT") == "1":
        stream = os.environ.get("STREAM") == "1"
        with tempfile.TemporaryDirectory() as folder:
            count = counted_run(program, environment, Path(folder))
        units = COUNTED // 25 * STREAMS * (EVENTS + 2) if stream else COUNTED // 25 * REQUESTS
        print(f"{count / units:.0f} instructions for {'an event of a stream' if stream else 'a request'}")
        return 0
    command = ["taskset", "-c", str(CORE_OF_THE_MEASURED), *program]
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main() if os.environ.get("MEASURED") == "1" else on_the_measured_python())
