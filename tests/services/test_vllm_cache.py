"""The cache that vLLM on the CPU says it has for a real model, against the one that the fit check counts.

Needs vLLM's environment (`mizzen engines install vllm`, 5.9 GB); `make test-services` installs it.
"""

import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from mizzen_cli.local.environments import Environments, default_cache
from mizzen_controlplane.models.formats.artifact import Artifact
from mizzen_controlplane.models.formats.check import check_artifact
from mizzen_crds.registry import MemoryFacts
from mizzen_operator.kinds.model_deployment.fit.cache import cache_of
from mizzen_operator.kinds.model_deployment.fit.demand import model_of
from mizzen_operator.kinds.model_deployment.fit.settings import Settings
from mizzen_operator.runtimes.builtin import builtin_runtimes
from support.controlplane import free_port
from support.until import until

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "examples" / "smollm" / "artifacts" / "v1"
GIB = 1024**3
CONTEXT = 2048
CPU_BLOCK = 128
"""Tokens of a block on vLLM's CPU backend."""
SAID = re.compile(r"KV cache size: ([\d,]+) tokens")


@pytest.fixture(scope="module")
def vllm() -> Path:
    """The folder of vLLM's programs; a missing environment fails the run rather than skipping it."""
    local = builtin_runtimes()["vllm"].spec.local
    environments = Environments(default_cache())
    assert environments.ready(local), "vLLM's environment is missing: run `mizzen engines install vllm`"
    return environments.bin_folder(local)


@pytest.fixture(scope="module")
def facts(vllm: Path) -> MemoryFacts:
    """What a push keeps of SmolLM2-135M-Instruct, read from its headers and config.json."""
    if not MODEL.is_dir():
        subprocess.run([sys.executable, str(ROOT / "examples" / "smollm" / "convert.py")], check=True)
    files = {path.name: path for path in MODEL.iterdir() if path.is_file()}
    signature = check_artifact("Safetensors", Artifact(files, allow_code=False))
    assert signature.parameters == 134_515_008
    assert signature.memory is not None
    return signature.memory


@pytest.fixture(scope="module")
def log(vllm: Path, facts: MemoryFacts, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What vLLM writes until it has sized its cache of 1 GiB; all its processes are gone afterwards."""
    folder = tmp_path_factory.mktemp("vllm")
    written = folder / "log"
    environment = os.environ | {
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CACHE_ROOT": str(folder / "cache"),
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
        "PATH": f"{vllm}:{os.environ['PATH']}",
    }
    command = [str(vllm / "vllm"), "serve", str(MODEL), "--host=127.0.0.1", f"--port={free_port()}"]
    with written.open("wb") as out:
        engine = subprocess.Popen(
            [*command, "--enforce-eager", f"--max-model-len={CONTEXT}"],
            env=environment,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        asyncio.run(until(lambda: SAID.search(written.read_text()) or engine.poll() is not None, 400.0))
        return written.read_text()
    finally:
        os.killpg(engine.pid, signal.SIGTERM)
        try:
            engine.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(engine.pid, signal.SIGKILL)
            engine.wait(30)


@pytest.mark.timeout(600)
def test_vllm_has_room_for_the_tokens_that_the_fit_check_counts(log: str, facts: MemoryFacts) -> None:
    said = SAID.search(log)
    assert said is not None, log[-2000:]
    shape = model_of(facts, Settings()).shape
    cache = cache_of(shape, width=2, tensor=1, pipeline=1, block=CPU_BLOCK)
    assert int(said[1].replace(",", "")) == cache.tokens_within(GIB, longest=CONTEXT, batched=CONTEXT)


@pytest.mark.timeout(600)
def test_the_weights_are_those_of_the_headers(facts: MemoryFacts) -> None:
    assert model_of(facts, Settings()).weight_bytes == 134_515_008 * 2
