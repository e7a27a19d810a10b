"""What does a request, an event of a stream, a megabyte cost? In CPU time of one core, beside the peers'."""

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gateway_peers
from gateway_requests import chat, tensor
from gateway_stage import CHUNKS, Front, InvalidRunError, Load, Stage
from pinned_process import MB
from result_file import Result, median_of

SATURATED = 0.9
"""Of its core that a program must have had for its requests per second to be its own."""


@dataclass(frozen=True)
class Sizes:
    """How long, how often, how many."""

    rounds: int = 3
    seconds: float = 5.0
    rate: float = 1500.0
    """Requests per second, offered to all alike."""
    connections: int = 32
    calls: float = 250.0
    """Calls of gRPC per second: its own generator takes as much as what it measures."""
    callers: int = 8
    """Their connections."""
    streams: int = 32
    idle: int = 5000
    stuck: int = 32
    slow: int = 10_000
    requests: int = 1_000_000
    few_keys: int = 1000
    many_keys: int = 100_000
    blocks: int = 20


QUICK = Sizes(1, 1.5, 1000.0, 16, 150.0, 4, 8, 500, 8, 1000, 20_000, 100, 10_000, 4)


def body_of(port: int, request: bytes) -> bytes:
    """Body of the engine's own answer: what every front must pass on."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as caller:
        caller.sendall(request)
        held = b""
        while b"\r\n\r\n" not in held:
            held += caller.recv(65536)
        head, _, body = held.partition(b"\r\n\r\n")
        if b"chunked" not in head.lower():
            length = int(head.lower().split(b"\r\ncontent-length:")[1].split(b"\r\n")[0])
            while len(body) < length:
                body += caller.recv(1 << 20)
            return body
        while not body.endswith(b"0\r\n\r\n"):
            body += caller.recv(65536)
    pieces, at = [], 0
    while (size := int(body[at : (end := body.index(b"\r\n", at))], 16)) > 0:
        pieces.append(body[end + 2 : end + 2 + size])
        at = end + 4 + size
    return b"".join(pieces)


def expected(stage: Stage, request: bytes, name: str) -> Path:
    """File with the body that each answer must equal."""
    file = stage.folder / f"{name}.expected"
    file.write_bytes(body_of(stage.engine.port, request))
    return file


def warmed(stage: Stage, front: Front, request: bytes, **words: Any) -> None:
    """Caches, connections and branches as they are under way."""
    stage.load(front, request, **{**words, "seconds": 1.0})


def ratios(ours: list[float], theirs: list[float]) -> list[float]:
    """Round by round."""
    return [one / other for one, other in zip(ours, theirs, strict=True)]


Asked = Callable[[Front], Load]
Words = dict[str, Any]
"""What the generator is told."""


def interleaved(fronts: list[Front], rounds: int, ask: Asked) -> dict[str, list[Load]]:
    """Every front in each round, so that all see the same machine."""
    found: dict[str, list[Load]] = {front.name: [] for front in fronts}
    for number in range(rounds):
        for front in fronts if number % 2 == 0 else reversed(fronts):
            found[front.name].append(ask(front))
    return found


def cost_of_a_request(stage: Stage, sizes: Sizes) -> list[Result]:
    """CPU at one offered rate."""
    request = chat(stage.keys[0].text)
    words: Words = {
        "connections": sizes.connections,
        "rate": sizes.rate,
        "expect": expected(stage, request, "chat"),
        "seconds": sizes.seconds,
    }
    peers = [gateway_peers.nginx(), gateway_peers.vllm_router(), gateway_peers.sglang_router()]
    fronts = [stage.fronts["gateway"], *[stage.peer(peer) for peer in peers]]
    for front in fronts:
        warmed(stage, front, request, **words)
    found = interleaved(fronts, sizes.rounds, lambda front: stage.load(front, request, **words))
    cpu = {name: [load.cpu_us for load in loads] for name, loads in found.items()}
    ours = cpu["gateway"]
    return [
        median_of("CPU for a request / nginx", ratios(ours, cpu["nginx"]), "ratio", goal=3.0, peer="nginx"),
        median_of(
            "CPU for a request / vllm-router", ratios(ours, cpu["vllm-router"]), "ratio", goal=0.7, peer="vllm-router"
        ),
        median_of("CPU for a request, gateway", ours, "us"),
        *[median_of(f"CPU for a request, {peer.name}", cpu[peer.name], "us", peer=peer.name) for peer in peers],
    ]


def requests_per_core(stage: Stage, sizes: Sizes) -> list[Result]:
    """As many as one core gives. LiteLLM writes its answers anew: they are looked at, not compared."""
    request = chat(stage.keys[0].text)
    words: Words = {"connections": sizes.connections, "seconds": sizes.seconds}
    exact: Words = {"expect": expected(stage, request, "chat")}
    ours, router = stage.fronts["gateway"], stage.peer(gateway_peers.vllm_router())
    lite = stage.peer(gateway_peers.litellm())
    checks: dict[str, Words] = {"litellm": {"contains": "The gateway reads a request", "connections": 4}}

    def ask(front: Front) -> Load:
        load = stage.load(front, request, **{**words, **checks.get(front.name, exact)})
        if load.share < SATURATED:
            raise InvalidRunError(
                f"{front.name} had {load.share:.2f} of its core, less than {SATURATED}: something else was the"
                " bottleneck, or shares the core; run it on a quiet machine"
            )
        return load

    fronts = [ours, router, lite]
    for front in fronts:
        warmed(stage, front, request, **{**words, **checks.get(front.name, exact)})
    found = interleaved(fronts, sizes.rounds, ask)
    rates = {name: [load.per_core for load in loads] for name, loads in found.items()}
    return [
        median_of(
            "requests/s per core / vllm-router",
            ratios(rates["gateway"], rates["vllm-router"]),
            "ratio",
            goal=1.5,
            comparison=">=",
            peer="vllm-router",
        ),
        median_of(
            "requests/s per core / LiteLLM",
            ratios(rates["gateway"], rates["litellm"]),
            "ratio",
            goal=100.0,
            comparison=">=",
            peer="litellm",
        ),
        *[median_of(f"requests/s per core, {name}", rates[name], "1/s") for name in rates],
    ]


def cost_of_an_event(stage: Stage, sizes: Sizes) -> list[Result]:
    """CPU for one event of a stream, with what its request costs spread over its events."""
    request = chat(stage.keys[0].text, stream=True)
    words: Words = {
        "connections": sizes.streams,
        "expect": expected(stage, request, "stream"),
        "count": sizes.streams,
        "seconds": 60,
    }
    fronts = [stage.fronts["gateway"], stage.peer(gateway_peers.nginx(gateway_peers.STREAMED), "nginx-streaming")]
    for front in fronts:
        stage.load(front, request, **words)
    # A pause lies between any two events, so that programs wait most of the time and what they take varies by a half:
    # many short rounds instead of a few long ones.
    found = interleaved(fronts, 3 * sizes.rounds, lambda front: stage.load(front, request, **words))
    ours, theirs = ([load.cpu_us / (CHUNKS + 1) for load in found[front.name]] for front in fronts)
    return [
        median_of("CPU for an event of a stream / nginx", ratios(ours, theirs), "ratio", goal=1.5, peer="nginx"),
        median_of("CPU for an event of a stream, gateway", ours, "us"),
        median_of("CPU for an event of a stream, nginx", theirs, "us", peer="nginx"),
    ]


def bytes_of_tensors(stage: Stage, sizes: Sizes) -> list[Result]:
    """Megabytes in and out for each second of CPU; every 16th answer is compared."""
    results = []
    for size in (1 << 20, 16 << 20):
        request, shown = tensor(size, stage.keys[0].text), f"{size >> 20} MiB"
        words: Words = {
            "connections": 4,
            "expect": expected(stage, request, f"tensor-{size}"),
            "sample": 16,
            "seconds": sizes.seconds,
        }
        fronts = [stage.fronts["gateway"], stage.peer(gateway_peers.nginx(gateway_peers.LARGE), "nginx-large")]
        for front in fronts:
            warmed(stage, front, request, **words)
        found = interleaved(fronts, sizes.rounds, partial(stage.load, request=request, **words))
        ours, theirs = ([2 * size / MB * load.per_core for load in found[front.name]] for front in fronts)
        results += [
            median_of(
                f"bytes of {shown} tensors / nginx",
                ratios(ours, theirs),
                "ratio",
                goal=0.8,
                comparison=">=",
                peer="nginx",
            ),
            median_of(f"bytes of {shown} tensors, gateway", ours, "MB/s"),
            median_of(f"bytes of {shown} tensors, nginx", theirs, "MB/s", peer="nginx"),
        ]
    return results


def settled(read: Callable[[], float], seconds: float = 20.0) -> float:
    """A number once it no longer rises by more than a hundredth within half a second."""
    deadline, before = time.monotonic() + seconds, read()
    while time.monotonic() < deadline:
        time.sleep(0.5)
        now = read()
        if now <= before * 1.01:
            return now
        before = now
    return before
