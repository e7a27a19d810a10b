"""The cache that vLLM on the CPU says it has for a real model, against the one that the fit check counts.

Needs vLLM's environment (`mizzen engines install vllm`, 5.9 GB); `make test-services` installs it.
"""

import asyncio
import re

import pytest
from mizzen_controlplane.models.formats.artifact import Artifact
from mizzen_controlplane.models.formats.check import check_artifact
from mizzen_crds.registry import MemoryFacts
from mizzen_operator.kinds.model_deployment.fit.cache import cache_of
from mizzen_operator.kinds.model_deployment.fit.demand import model_of
from mizzen_operator.kinds.model_deployment.fit.settings import Settings
from support.until import until
from support.vllm_on_cpu import CONTEXT, model_folder, serving

GIB = 1024**3
CPU_BLOCK = 128
"""Tokens of a block on vLLM's CPU backend."""
SAID = re.compile(r"KV cache size: ([\d,]+) tokens")


@pytest.fixture(scope="module")
def facts() -> MemoryFacts:
    """What a push keeps of SmolLM2-135M-Instruct, read from its headers and config.json."""
    files = {path.name: path for path in model_folder().iterdir() if path.is_file()}
    signature = check_artifact("Safetensors", Artifact(files, allow_code=False))
    assert signature.parameters == 134_515_008
    assert signature.memory is not None
    return signature.memory


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What vLLM writes until it has sized its cache of 1 GiB."""
    with serving(tmp_path_factory.mktemp("vllm")) as vllm:
        asyncio.run(until(lambda: SAID.search(vllm.said()) or vllm.ended, 400.0))
        return vllm.said()


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
