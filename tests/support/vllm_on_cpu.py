"""A real vLLM on the CPU, with the little language model of examples/smollm. `make test-services` installs it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mizzen_cli.local.environments import Environments, default_cache
from mizzen_operator.runtimes.builtin import builtin_runtimes
from support.free_ports import free_port

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "examples" / "smollm" / "artifacts" / "v1"
CONTEXT = 2048
CACHE_GIB = 1


def vllm_programs() -> Path:
    """The folder of vLLM's programs; a missing environment fails the run rather than skipping it."""
    local = builtin_runtimes()["vllm"].spec.local
    environments = Environments(default_cache())
    assert environments.ready(local), "vLLM's environment is missing: run `mizzen engines install vllm`"
    return environments.bin_folder(local)


def model_folder() -> Path:
    """SmolLM2-135M-Instruct, converted where that was not done yet."""
    if not MODEL.is_dir():
        subprocess.run([sys.executable, str(ROOT / "examples" / "smollm" / "convert.py")], check=True)
    return MODEL


@dataclass(frozen=True)
class Vllm:
    """A started engine, which may not answer yet."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> str:
        """What it has written so far."""
        return self.log.read_text()

    @property
    def ended(self) -> bool:
        """It has given up."""
        return self.process.poll() is not None


@contextmanager
def serving(folder: Path, *flags: str) -> Iterator[Vllm]:
    """A vLLM for the length of a `with`; all its processes are gone afterwards. `folder` takes its log and caches."""
    programs, port, log = vllm_programs(), free_port(), folder / "log"
    environment = os.environ | {
        "VLLM_CPU_KVCACHE_SPACE": str(CACHE_GIB),
        "VLLM_CACHE_ROOT": str(folder / "cache"),
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
        "PATH": f"{programs}:{os.environ['PATH']}",
    }
    command = [str(programs / "vllm"), "serve", str(model_folder()), "--host=127.0.0.1", f"--port={port}"]
    command += ["--served-model-name=chat", "--enforce-eager", f"--max-model-len={CONTEXT}", *flags]
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out, start_new_session=True)
    try:
        yield Vllm(f"http://127.0.0.1:{port}", process, log)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)
