"""How many calls of gRPC, and were the answers right? Results as one line of JSON, as the generator in C prints them.

python -m grpc_load PORT RATE SECONDS CONNECTIONS KEY TENSOR_FILE SEED: the file has what each answer must hold. Calls
"""

import asyncio
import json
import random
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import grpc
import uvloop
from grpc_peer import INFER, infer_request, is_right


async def offered(
    port: int, rate: float, seconds: float, connections: int, key: str, tensor: bytes, seed: int
) -> dict[str, float]:
    """Calls that were answered, how long it took, and what it took here. RuntimeError for a wrong answer."""
    chance, request, metadata = random.Random(seed), infer_request(), (("authorization", f"Bearer {key}"),)
    options = (("grpc.use_local_subchannel_pool", 1),)
    channels = [grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) for _ in range(connections)]
    methods: list[Any] = [channel.unary_unary(INFER) for channel in channels]
    waits: list[float] = []

    async def call(number: int) -> None:
        began = time.perf_counter()
        answer = await methods[number % connections](request, metadata=metadata)
        waits.append(time.perf_counter() - began)
        if not is_right(answer, tensor):
            raise RuntimeError(f"a wrong answer: {answer!r}")

    await asyncio.gather(*(call(number) for number in range(connections)))
    waits.clear()
    cpu, began = time.process_time(), time.perf_counter()
    due, number = began, 0
    async with asyncio.TaskGroup() as group:
        while due < began + seconds:
            due += chance.expovariate(rate)
            await asyncio.sleep(due - time.perf_counter())
            group.create_task(call(number))
            number += 1
    took = time.perf_counter() - began
    for channel in channels:
        await channel.close()
    return {
        "answered": len(waits),
        "warm": connections,
        "seconds": took,
        "cpu_seconds": time.process_time() - cpu,
        "p50_ms": statistics.median(waits) * 1000,
    }


if __name__ == "__main__":
    port, rate, seconds, connections, key, file, seed = sys.argv[1:]
    tensor = Path(file).read_bytes()
    load = offered(int(port), float(rate), float(seconds), int(connections), key, tensor, int(seed))
    print(json.dumps(uvloop.run(load)))
