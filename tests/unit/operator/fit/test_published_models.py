"""The estimate against what is published: weights of 19 models, caches that vLLM built, and what it logs on a CPU."""

from typing import Any

import pytest
from mizzen_crds.registry import MemoryFacts
from mizzen_operator.kinds.model_deployment.fit.cache import cache_of
from mizzen_operator.kinds.model_deployment.fit.demand import demand_of, model_of
from mizzen_operator.kinds.model_deployment.fit.settings import Settings
from mizzen_operator.kinds.model_deployment.fit.shape import read_shape
from support.published_models import DEEPSEEK_V3, LLAMA_8B, MEASURED, PUBLISHED, SMOLLM2, Measured, Published

GIB = 1024**3


@pytest.mark.parametrize("model", PUBLISHED, ids=lambda model: model.name)
def test_weights_counted_from_the_configuration_are_within_a_tenth_of_the_stated_size(model: Published) -> None:
    estimated = model_of(MemoryFacts(config=model.config), Settings()).weight_bytes
    assert estimated == pytest.approx(model.stated_bytes, rel=0.10), f"{model.configuration_from}; {model.size_from}"


def test_a_dozen_models_at_least_are_held_against_their_published_size() -> None:
    assert len({model.name for model in PUBLISHED}) >= 12


@pytest.mark.parametrize("run", MEASURED, ids=lambda run: run.name)
def test_the_cache_is_within_a_tenth_of_the_one_that_vllm_built_on_the_card(run: Measured) -> None:
    settings = Settings(
        max_model_len=run.context, batched_tokens=run.batched, sequences=256, eager=True, utilisation=run.utilisation
    )
    facts = MemoryFacts(config=run.config, tensor_bytes={"stored": run.stated_bytes})
    demand = demand_of(model_of(facts, settings), settings, run.card_bytes)
    left = demand.left_for_cache(int(run.card_bytes * run.utilisation))
    assert demand.cache.tokens_within(left, run.context, run.batched) == pytest.approx(run.tokens, rel=0.10), run.source


def test_one_gibibyte_holds_the_tokens_that_vllm_on_a_cpu_logs_for_smollm() -> None:
    """vLLM 0.32.0, VLLM_CPU_KVCACHE_SPACE=1: `CPU KV cache size: 46,592 tokens`; its blocks have 128 tokens there."""
    cache = cache_of(read_shape(SMOLLM2), width=2, tensor=1, pipeline=1, block=128)
    assert cache.tokens_within(GIB, longest=2048, batched=2048) == 46_592


@pytest.mark.parametrize(
    ("config", "bytes_a_token"),
    [
        (LLAMA_8B, 2 * 32 * 8 * 128 * 2),  # key and value, layers, heads, width, 16 bits
        (DEEPSEEK_V3, 61 * (512 + 64) * 2),  # one latent row and the rotated key
        (SMOLLM2, 2 * 30 * 3 * 64 * 2),
    ],
)
def test_a_token_takes_so_many_bytes_of_cache(config: dict[str, Any], bytes_a_token: int) -> None:
    assert cache_of(read_shape(config), width=2, tensor=1, pipeline=1, block=16).token_bytes == bytes_a_token
