"""What does a call of gRPC cost? Beside a bare proxy of grpcio that parses its messages, in turn on the same core."""

import os
import subprocess
import sys
from pathlib import Path

import grpc
import interpreter
from gateway_costs import Sizes, body_of, interleaved, ratios
from gateway_requests import tensor
from gateway_stage import Front, Load, Stage, Where, without_proxies
from grpc_peer import BYTES
from mizzen_cli.local.ports import free_port
from pinned_process import CORE_OF_THE_MEASURED, CORE_OF_THE_REST, Pinned
from result_file import Result, median_of

HERE = Path(__file__).parent
READY_SECONDS = 30.0


def cost_of_a_call(stage: Stage, sizes: Sizes) -> list[Result]:
    """CPU at one offered rate: the gateway with everything on, the proxy with nothing."""
    tensor_file(stage).write_bytes(body_of(stage.engine.port, tensor(BYTES, stage.keys[0].text))[-BYTES:])
    port = free_port(set())
    gateway = stage.gateway("gateway-grpc", MIZZEN_GRPC_PORT=str(port))
    ours = Where(Front("gateway-grpc", port, gateway.process), stage.engine.process)
    engine = program(stage, "grpc-engine", CORE_OF_THE_REST, "engine", port := free_port({port}), tensor_file(stage))
    proxy = program(stage, "grpc-proxy", CORE_OF_THE_MEASURED, "proxy", free_port({port}), port)
    theirs = Where(proxy, engine.process)
    for where in (ours, theirs):
        until_ready(where.front.port)
        called(stage, where, sizes, 1.0, 0)
    number = 0

    def ask(front: Front) -> Load:
        nonlocal number
        number += 1
        return called(stage, ours if front is ours.front else theirs, sizes, sizes.seconds, number)

    found = interleaved([ours.front, theirs.front], sizes.rounds, ask)
    cpu = {name: [load.cpu_us for load in loads] for name, loads in found.items()}
    peer = f"grpcio {grpc.__version__}"
    return [
        median_of(
            "CPU for a call of gRPC / a bare proxy",
            ratios(cpu["gateway-grpc"], cpu["grpc-proxy"]),
            "ratio",
            goal=1.0,
            peer=peer,
        ),
        median_of("CPU for a call of gRPC, gateway", cpu["gateway-grpc"], "us"),
        median_of("CPU for a call of gRPC, a bare proxy", cpu["grpc-proxy"], "us", peer=peer),
    ]


def tensor_file(stage: Stage) -> Path:
    """What the engine in C answers with: every answer of every front must hold it."""
    return stage.folder / "tensor"


def program(stage: Stage, name: str, core: int, *words: object) -> Front:
    """A program of `grpc_peer.py`: its role, its port, and what it is in front of."""
    folder = stage.folder / name
    folder.mkdir()
    command = [*interpreter.command("grpc_peer"), *map(str, words)]
    process = stage.exits.enter_context(Pinned(command, core, folder / "log", finding_us()))
    return Front(name, int(str(words[1])), process)


def finding_us() -> dict[str, str]:
    """The environment of a program that lies beside this one."""
    path = os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH", ""))))
    return {**without_proxies(), "PYTHONPATH": path}


def until_ready(port: int) -> None:
    """Somebody speaks gRPC there. grpc.FutureTimeoutError where nobody does."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        grpc.channel_ready_future(channel).result(timeout=READY_SECONDS)


def called(stage: Stage, where: Where, sizes: Sizes, seconds: float, seed: int) -> Load:
    """Run the generator once; every answer is checked."""
    words = [where.front.port, sizes.calls, seconds, sizes.callers, stage.keys[0].text, tensor_file(stage), seed]
    command = ["taskset", "-c", str(CORE_OF_THE_REST), sys.executable, "-m", "grpc_load", *map(str, words)]
    return stage.taken(
        where, lambda: subprocess.run(command, env=finding_us(), capture_output=True, text=True, check=False)
    )
