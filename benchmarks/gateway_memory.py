"""What does the gateway hold? For streams that say nothing, readers that are stuck, many keys, a million requests."""

import socket
import time
from contextlib import ExitStack
from pathlib import Path

from gateway_costs import Sizes, Words, expected, settled
from gateway_requests import chat, saying
from gateway_stage import Front, Stage, stage
from result_file import Result

KB = 1000.0
OPENED_AT_ONCE = 100
STUCK_BUFFER = 4096


def held_streams(stage: Stage, count: int, word: str) -> list[socket.socket]:
    """Streams that have begun; their readers read no further."""
    request, gateway = saying(word, stage.keys[0].text), stage.fronts["gateway"]
    found: list[socket.socket] = []
    for start in range(0, count, OPENED_AT_ONCE):
        fresh = []
        for _ in range(min(OPENED_AT_ONCE, count - start)):
            one = socket.socket()
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, STUCK_BUFFER)
            one.settimeout(30)
            one.connect(("127.0.0.1", gateway.port))
            one.sendall(request)
            fresh.append(one)
        for one in fresh:
            if b" 200 " not in one.recv(64):
                raise RuntimeError("a stream that should be held was refused")
        found += fresh
    return found


def each_kb(stage: Stage, count: int, word: str) -> float:
    """Memory of the gateway for each of so many streams."""
    memory = stage.fronts["gateway"].process.memory_mb
    before = settled(memory)
    with ExitStack() as exits:
        for one in held_streams(stage, count, word):
            exits.callback(one.close)
        return (settled(memory) - before) * 1000 / count


def idle_and_stuck(stage: Stage, sizes: Sizes) -> list[Result]:
    """Memory for each stream that waits, and for each whose reader is stuck while the engine floods it."""
    warm = each_kb(stage, 50, "@hold")
    idle = each_kb(stage, sizes.idle, "@hold")
    time.sleep(1)
    stuck = each_kb(stage, sizes.stuck, "@flood")
    return [
        Result(
            f"memory of each of {sizes.idle} idle streams", round(idle, 2), "KB", 25.0, samples=[round(warm, 2), idle]
        ),
        Result("memory of a stuck reader", round(stuck, 1), "KB", 256.0),
    ]


def all_keys(stage: Stage) -> Path:
    """File of every key, one a line."""
    file = stage.folder / "keys"
    file.write_text("".join(f"{key.text}\n" for key in stage.keys))
    return file


def memory_after(stage: Stage, gateway: Front, requests: int) -> tuple[float, float, float]:
    """MB after every key was used once, after half of the requests, after all."""
    request = chat(stage.keys[0].text)
    words: Words = {
        "connections": 64,
        "expect": expected(stage, request, "chat"),
        "keys": all_keys(stage),
        "seconds": 3600,
    }
    readings = []
    for count in (max(2 * len(stage.keys), 1000), requests // 2, requests - requests // 2):
        stage.load(gateway, request, **words, count=count)
        time.sleep(2)
        readings.append(gateway.process.memory_mb())
    warm, half, whole = readings
    return warm, half, whole


def memory_of_a_worker(sizes: Sizes, seed: int) -> list[Result]:
    """A worker of its own after a million requests of a thousand keys, and one that knows a hundred thousand."""
    with stage(sizes.few_keys, seed) as few:
        warm, half, whole = memory_after(few, few.fronts["gateway"], sizes.requests)
    with stage(sizes.many_keys, seed) as many:
        _, _, crowded = memory_after(many, many.fronts["gateway"], max(sizes.requests // 10, 1000))
    shown = f"{sizes.requests} requests, {sizes.few_keys} keys"
    return [
        Result(f"memory after {shown}", round(whole, 2), "MB", 75.0, samples=[warm, half, whole]),
        Result("its growth since the keys were known", round(whole - warm, 2), "MB", 5.0, samples=[half - warm]),
        Result(f"memory with {sizes.many_keys} keys", round(crowded, 2), "MB"),
    ]
