"""What does a caller wait for? Latency at rest, at work, among slow callers; and what a refusal's time tells."""

import selectors
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from gateway_costs import Sizes, Words, expected, warmed
from gateway_requests import chat
from gateway_stage import Stage
from result_file import Result, median_of

BLOCK_SECONDS = 0.25
LOADED = 0.6
"""Part of what one core gives, for the latency under load."""
HEALTHY_RATE = 300.0
SLOW_BYTE_SECONDS = 2.0
"""Between two bytes of a slow caller's header."""
TOLD_APART_US = 5.0
"""A difference in time that nobody can read from over a network."""
REFUSED = "model_not_found"
MISSING, THEIRS = "other/absent", "other/theirs"
"""Names of one length, so that only what is behind them differs."""


def added_latency(stage: Stage, sizes: Sizes) -> list[Result]:
    """At one connection, in short blocks with the engine itself in turn; then at a part of what a core gives."""
    request, gateway = chat(stage.keys[0].text), stage.fronts["gateway"]
    exact: Words = {"expect": expected(stage, request, "chat")}
    p50: list[float] = []
    p99: list[float] = []
    for _ in range(sizes.rounds):
        found: dict[str, dict[str, list[float]]] = {"gateway": {"p50": [], "p99": []}, "engine": {"p50": [], "p99": []}}
        for _ in range(sizes.blocks):
            for front in (stage.engine, gateway):
                load = stage.load(
                    front, request, connections=1, seconds=BLOCK_SECONDS, calm=front is stage.engine, **exact
                )
                found[front.name]["p50"].append(load["p50_us"])
                found[front.name]["p99"].append(load["p99_us"])
        for samples, name in ((p50, "p50"), (p99, "p99")):
            ours, bare = (statistics.median(found[front][name]) for front in ("gateway", "engine"))
            samples.append((ours - bare) / 1000)
    return [
        median_of("added latency at one connection, p50", p50, "ms", goal=0.30, peer="the engine itself"),
        median_of("added latency at one connection, p99", p99, "ms", goal=1.0, peer="the engine itself"),
        *_under_load(stage, sizes, request, exact),
    ]


def _under_load(stage: Stage, sizes: Sizes, request: bytes, exact: Words) -> list[Result]:
    """A core's speed changes within minutes on a shared machine: each round goes by what it gave just before."""
    gateway = stage.fronts["gateway"]
    rates: list[float] = []
    p50: list[float] = []
    p99: list[float] = []
    added: list[float] = []
    for number in range(sizes.rounds):
        most = stage.load(gateway, request, connections=sizes.connections, seconds=sizes.seconds, **exact)
        rates.append(LOADED * most.answered / most.seconds)
        words: Words = {"connections": 64, "rate": rates[-1], "seconds": sizes.seconds, "seed": number, **exact}
        ours = stage.load(gateway, request, **words)
        bare = stage.load(stage.engine, request, calm=True, **words)
        p50.append(ours["p50_us"] / 1000)
        p99.append(ours["p99_us"] / 1000)
        added.append((ours["p99_us"] - bare["p99_us"]) / 1000)
    return [
        median_of("added latency at 60 % load, p99", added, "ms", goal=5.0, peer="the engine itself"),
        median_of("latency at 60 % load, p50", p50, "ms"),
        median_of("latency at 60 % load, p99", p99, "ms"),
        median_of("requests per second at 60 % load", rates, "1/s"),
    ]


@contextmanager
def slow_callers(port: int, count: int) -> Iterator["SlowCallers"]:
    """Half of them send a header byte by byte, half connect and say nothing."""
    callers, stop = SlowCallers(port, count), threading.Event()

    def keep_up() -> None:
        while not stop.wait(0.1):
            callers.keep_up()

    thread = threading.Thread(target=keep_up, daemon=True)
    thread.start()
    try:
        yield callers
    finally:
        stop.set()
        thread.join()
        callers.close()


class SlowCallers:
    """Connections that never come to a request; those that the gateway ends are opened anew."""

    def __init__(self, port: int, count: int) -> None:
        self._port = port
        self._open: list[socket.socket] = []
        self._selector = selectors.DefaultSelector()
        self.ended = 0
        """Connections that the gateway ended."""
        for _ in range(count):
            self._join()
        self._byte_at = time.monotonic()

    def _join(self) -> None:
        one = socket.create_connection(("127.0.0.1", self._port), timeout=10)
        one.setblocking(False)
        one.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        self._open.append(one)
        self._selector.register(one, selectors.EVENT_READ)

    def keep_up(self) -> None:
        """Send what is due; open again what was ended."""
        for key, _ in self._selector.select(0):
            one = key.fileobj
            assert isinstance(one, socket.socket)
            self._selector.unregister(one)
            self._open.remove(one)
            one.close()
            self.ended += 1
            self._join()
        if time.monotonic() - self._byte_at > SLOW_BYTE_SECONDS:
            self._byte_at = time.monotonic()
            for one in self._open[::2]:
                try:
                    one.send(b"a")
                except OSError:
                    continue  # ended by the gateway a moment ago: seen by the selector next

    def close(self) -> None:
        """End all of them."""
        self._selector.close()
        for one in self._open:
            one.close()


def among_slow_callers(stage: Stage, sizes: Sizes) -> list[Result]:
    """The 99th percentile of healthy callers, alone and among thousands that never finish a header."""
    request, gateway = chat(stage.keys[0].text), stage.fronts["gateway"]
    words: Words = {
        "connections": 8,
        "rate": HEALTHY_RATE,
        "expect": expected(stage, request, "chat"),
        "seconds": sizes.seconds,
    }
    warmed(stage, gateway, request, **words)
    alone = [stage.load(gateway, request, **words, seed=number) for number in range(sizes.rounds)]
    with slow_callers(gateway.port, sizes.slow) as callers:
        among = [stage.load(gateway, request, **words, seed=number) for number in range(sizes.rounds)]
        ended = callers.ended
    before, after = ([load["p99_us"] / 1000 for load in loads] for loads in (alone, among))
    moved = [slow - quiet for slow, quiet in zip(after, before, strict=True)]
    allowed = max(2.0, 0.2 * statistics.median(before))
    return [
        median_of(f"p99 moved by {sizes.slow} slow connections", moved, "ms", goal=round(allowed, 3)),
        median_of("p99 of healthy callers alone", before, "ms"),
        median_of("p99 of healthy callers among them", after, "ms"),
        Result("slow connections that the gateway ended meanwhile", ended, "connections"),
        median_of("CPU for a request among them, gateway", [load.cpu_us for load in among], "us"),
    ]


def told_by_time(stage: Stage, sizes: Sizes) -> list[Result]:
    """A model of another project and one that does not exist: the same body in the same time."""
    gateway, key = stage.fronts["gateway"], stage.keys[0].text
    requests = {name: chat(key, name) for name in (MISSING, THEIRS)}
    found: dict[str, list[float]] = {name: [] for name in requests}

    for number in range(sizes.rounds * sizes.blocks):
        for name in list(requests)[:: 1 if number % 2 else -1]:  # whoever comes second finds warmer caches
            request = requests[name]
            load = stage.load(gateway, request, connections=1, seconds=BLOCK_SECONDS, contains=REFUSED, status=404)
            found[name].append(load["p50_us"])
    missing, theirs = found.values()
    apart = [other - none for other, none in zip(theirs, missing, strict=True)]
    return [
        Result(
            "another tenant's model, time told apart",
            round(abs(statistics.median(apart)), 3),
            "us",
            TOLD_APART_US,
            peer="a model that does not exist",
            samples=[round(one, 3) for one in apart],
        ),
        median_of("time of a refusal, absent model, p50", missing, "us"),
    ]
