"""How does a person get a Kubernetes to play with, without root? `make cluster-up`, and `make cluster-down` afterwards.

It is the cluster of the tests, with nodes of 8 accelerators each on which pods are scheduled and become ready, though
nothing runs in them. `--mizzen` runs Mizzen's own programs beside it. Everything listens on 127.0.0.1 and has its state
in a temporary folder.
"""

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tools")]

STATE = Path(os.environ.get("MIZZEN_CLUSTER_STATE") or ROOT / ".mizzen" / "cluster")
NODES, ACCELERATORS = 3, 8
_START_SECONDS = 120.0
_STOP_SECONDS = 30.0


def up(*, mizzen: bool) -> int:
    """Start it, where it does not run, and print what a shell needs: `eval $(make -s cluster-up)`."""
    from cluster.build import built

    tools = built("playground")
    if running() is None and not _started(mizzen=mizzen):
        return 1
    beside = json.loads(_state_file().read_text())["mizzen"]
    if mizzen and not beside:
        print("a cluster without Mizzen's programs runs already; `make cluster-down` first", file=sys.stderr)
        return 1
    for name, value in {"KUBECONFIG": str(STATE / "kubeconfig"), **beside}.items():
        print(f"export {name}={shlex.quote(value)}")
    print(f"export PATH={tools['kubectl'].parent}:{ROOT / '.venv' / 'bin'}:$PATH")
    programs = "operator, control plane and gateway run beside them" if beside else "Mizzen's programs do not run"
    print(
        f"{NODES} nodes with {ACCELERATORS} accelerators each; {programs}; `make cluster-down` ends it", file=sys.stderr
    )
    return 0


def _started(*, mizzen: bool) -> bool:
    """Start the process that holds it; false, with its log printed, where it ends or takes too long."""
    STATE.mkdir(parents=True, exist_ok=True)
    _state_file().unlink(missing_ok=True)
    with (STATE / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, __file__, "serve", *(["--mizzen"] if mizzen else [])],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_SECONDS
    while running() is None:
        if server.poll() is not None or time.monotonic() > deadline:
            server.terminate()
            print((STATE / "log").read_text(), "the cluster did not start", sep="\n", file=sys.stderr)
            return False
        time.sleep(0.1)
    return True


def down() -> int:
    """End it; nothing where it does not run."""
    if process := running():
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except psutil.TimeoutExpired:
            process.kill()  # its programs end with it
    _state_file().unlink(missing_ok=True)
    (STATE / "kubeconfig").unlink(missing_ok=True)
    shutil.rmtree(STATE / "mizzen", ignore_errors=True)
    return 0


def running() -> psutil.Process | None:
    """The process that holds the cluster, once that is ready."""
    try:
        state = json.loads(_state_file().read_text())
        process = psutil.Process(state["pid"])
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None
    return process if process.create_time() == state["began"] else None


def serve(*, mizzen: bool) -> int:
    """Hold a cluster until SIGTERM."""
    from cluster.playground_programs import programs_beside
    from support.cluster.cluster import start
    from support.cluster.nodes import Behaviour, Nodes

    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with ExitStack() as held:
        cluster = held.enter_context(start(nodes=[Nodes(NODES, ACCELERATORS)], behaviours=[Behaviour(ready_after=2.0)]))
        beside = held.enter_context(programs_beside(cluster, STATE / "mizzen")) if mizzen else {}
        (STATE / "kubeconfig").write_text(cluster.kubeconfig.read_text())
        (STATE / "kubeconfig").chmod(0o600)
        me = psutil.Process()
        _state_file().touch(0o600)
        _state_file().write_text(json.dumps({"pid": me.pid, "began": me.create_time(), "mizzen": beside}))
        ended.wait()
    return 0


def _state_file() -> Path:
    return STATE / "state.json"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("act", choices=["up", "down", "serve"])
    parser.add_argument("--mizzen", action="store_true", help="with operator, control plane and gateway beside it")
    asked = parser.parse_args()
    if asked.act == "down":
        sys.exit(down())
    sys.exit({"up": up, "serve": serve}[asked.act](mizzen=asked.mizzen))
