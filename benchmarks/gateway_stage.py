"""What stands around the gateway while it is measured? An engine and a load generator in C, a control plane, peers.

What is measured has one core to itself; all others share the second. A generator or an engine that is near the end of
its core would measure itself: such a run says so and is invalid.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import interpreter
from cluster.toolchain import cache_folder
from gateway_peers import Peer
from gateway_plane import OTHER, PEPPER, Key, control_plane, deployment, endpoint_set, make_keys, snapshot_of
from mizzen_cli.local.ports import free_port
from pinned_process import CORE_OF_THE_MEASURED, CORE_OF_THE_REST, Pinned

NATIVE = Path(__file__).parent / "native"
BUSIEST = 0.8
"""A load generator or an engine above this share of a core makes the run invalid."""
TENSORS = (256, 1 << 20, 16 << 20)
CHUNKS, INTERVAL_US = 256, 10_000
"""Events of a stream, and the pause between them."""


class InvalidRunError(Exception):
    """The run says nothing about what was to be measured."""


def build() -> Path:
    """Folder of the two programs in C, compiled where their source has changed. RuntimeError without a compiler."""
    sources = sorted(NATIVE.iterdir())
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    folder = cache_folder() / "bench" / digest
    if not (folder / "load").exists():
        compiler = shutil.which("gcc") or shutil.which("cc")
        if compiler is None:
            raise RuntimeError(
                "no C compiler on PATH: install gcc, the load generator and the engine are built with it"
            )
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("engine", "load"):
            fresh = folder / f"{name}.new"
            subprocess.run([compiler, "-O2", "-o", fresh, NATIVE / f"{name}.c", "-lm"], check=True)
            fresh.rename(folder / name)
    return folder


@dataclass(frozen=True)
class Front:
    """Something that takes requests: the gateway, a peer, or the engine itself."""

    name: str
    port: int
    process: Pinned


@dataclass(frozen=True)
class Where:
    """What is asked, and who answers behind it."""

    front: Front
    engine: Pinned


@dataclass(frozen=True)
class Load:
    """What the generator saw, and what it took."""

    answered: int
    seconds: float
    cpu_us: float
    """CPU of the front for one answer, in microseconds."""
    share: float
    """Of its core that the front used."""
    per_core: float
    """Answers for each second of the front's CPU."""
    found: dict[str, float]
    """As the generator printed it."""

    def __getitem__(self, name: str) -> float:
        return self.found[name]


@dataclass
class Stage:
    """Programs that run, and how they are asked."""

    folder: Path
    native: Path
    keys: list[Key]
    engine: Front
    plane_port: int
    exits: ExitStack
    fronts: dict[str, Front] = field(default_factory=dict)
    shares: list[float] = field(default_factory=list)
    """Of a core, of the generator and the engine, in each load."""
    peers: list[Peer] = field(default_factory=list)
    sent: int = 0
    """Requests that the gateway answered with 200."""

    def gateway(self, name: str, **settings: str) -> Front:
        """Start a gateway with these settings beside the usual ones; it stays until the end of the stage."""
        port = free_port(set())
        admin = free_port({port})
        environment = {**gateway_environment(self.folder / name, port, admin, self.plane_port), **settings}
        program = interpreter.command("mizzen_gateway")
        process = Pinned(program, CORE_OF_THE_MEASURED, self.folder / f"{name}.log", environment)
        self.exits.enter_context(process)
        process.wait_for_port(admin, "/readyz")
        self.fronts[name] = Front(name, port, process)
        return self.fronts[name]

    def peer(self, peer: Peer, name: str | None = None) -> Front:
        """Start a peer in front of the engine; it stays until the end of the stage."""
        name = name or peer.name
        if name not in self.fronts:
            folder = self.folder / name
            folder.mkdir()
            port = free_port(set())
            command = peer.command(folder, port, self.engine.port)
            process = self.exits.enter_context(Pinned(command, CORE_OF_THE_MEASURED, folder / "log", without_proxies()))
            process.wait_for_port(port, peer.health)
            self.fronts[name] = Front(name, port, process)
            self.peers.append(peer)
        return self.fronts[name]

    def load(self, front: Front, request: bytes, *, calm: bool = False, **words: Any) -> Load:
        """Run the generator; every answer is checked. InvalidRunError where one is wrong, or it was too busy.

        `calm` where only the time of one connection is asked for: then nobody else waits for a busy generator.
        """
        file = self.folder / f"{hashlib.sha256(request).hexdigest()[:16]}.request"
        if not file.exists():
            file.write_bytes(request)
        told = [f"{name}={value}" for name, value in words.items()]
        command = ["taskset", "-c", str(CORE_OF_THE_REST), str(self.native / "load")]
        command += [f"port={front.port}", f"request={file}", *told]
        return self.taken(
            Where(front, self.engine.process),
            lambda: subprocess.run(command, capture_output=True, text=True, check=False),
            calm=calm,
            refused="status" in words,
        )

    def taken(
        self,
        where: Where,
        generate: Callable[[], "subprocess.CompletedProcess[str]"],
        *,
        calm: bool = False,
        refused: bool = False,
    ) -> Load:
        """What a run of a generator took of the front; of those that are `refused` the ledger has no rows."""
        front = where.front
        before, engine_before = front.process.cpu_seconds(), where.engine.cpu_seconds()
        done = generate()
        cpu = front.process.cpu_seconds() - before
        engine_cpu = where.engine.cpu_seconds() - engine_before
        if done.returncode:
            raise InvalidRunError(f"{front.name}: {done.args}: {done.stdout}{done.stderr[-1500:]}")
        found = json.loads(done.stdout)
        seconds, answered = found["seconds"], found["answered"]
        if not calm:
            self._check_shares(front, found["cpu_seconds"] / seconds, engine_cpu / seconds)
        if front.name.startswith("gateway") and not refused:
            self.sent += answered + found.get("warm", 0)
        return Load(answered, seconds, cpu / max(answered, 1) * 1e6, cpu / seconds, answered / max(cpu, 1e-9), found)

    def _check_shares(self, front: Front, generator: float, engine: float) -> None:
        self.shares.append(generator + engine)
        if generator + engine > BUSIEST:
            raise InvalidRunError(
                f"{front.name}: generator and engine used {generator:.2f} and {engine:.2f} of their core, which is"
                f" more than {BUSIEST} together: they would be what is measured; offer less"
            )


def without_proxies() -> dict[str, str]:
    """The environment, without what would lead calls on this machine elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}


def gateway_environment(folder: Path, port: int, admin_port: int, plane_port: int) -> dict[str, str]:
    """Variables of the measured gateway."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "token").write_text("mzt_gateway_bench")
    (folder / "pepper").write_text(PEPPER)
    kept = {name: value for name, value in without_proxies().items() if not name.startswith("MIZZEN_")}
    url = f"http://127.0.0.1:{plane_port}"
    return {
        **kept,
        "MIZZEN_CONTROLPLANE_URL": url,
        "MIZZEN_OPERATOR_URL": url,
        "MIZZEN_TOKEN_FILE": str(folder / "token"),
        "MIZZEN_PEPPER_FILE": str(folder / "pepper"),
        "MIZZEN_DATA_DIR": str(folder / "data"),
        "MIZZEN_PORT": str(port),
        "MIZZEN_ADMIN_PORT": str(admin_port),
    }


def known_objects(engine_port: int) -> list[dict[str, Any]]:
    """A chat model, a tensor model for each size, and a chat model of another project."""
    found = [
        deployment("m"),
        endpoint_set("m", "OpenAI", engine_port, "m"),
        deployment("theirs", "other"),
        endpoint_set("theirs", "OpenAI", engine_port, "m", "other"),
    ]
    for size in TENSORS:
        found += [deployment(f"t{size}"), endpoint_set(f"t{size}", "OpenInference", engine_port, f"t{size}")]
    return found


@contextmanager
def stage(key_count: int, seed: int) -> Iterator[Stage]:
    """An engine, a control plane and a gateway that knows so many keys; peers come when they are asked for."""
    native = build()
    with ExitStack() as exits:
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="mizzen-bench-")))
        keys = make_keys(key_count, seed)
        engine_port = free_port(set())
        command = [native / "engine", engine_port, CHUNKS, INTERVAL_US]
        running = exits.enter_context(Pinned([str(word) for word in command], CORE_OF_THE_REST, folder / "engine.log"))
        running.wait_for_port(engine_port)
        plane = exits.enter_context(control_plane(snapshot_of(keys), known_objects(engine_port)))
        found = Stage(folder, native, keys, Front("engine", engine_port, running), plane.port, exits)
        found.gateway("gateway")
        yield found
        for front in found.fronts.values():
            if front.name.startswith("gateway"):
                front.process.stop()  # what is in its spool is in the ledger then
        if plane.rows < found.sent:
            raise InvalidRunError(f"{found.sent} requests were answered, the ledger has rows of {plane.rows}")


__all__ = ["OTHER", "Front", "InvalidRunError", "Load", "Stage", "Where", "stage"]
