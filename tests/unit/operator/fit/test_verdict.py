"""The sentence and the suggestion: numbers that add up, and a remedy that is one."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mizzen_crds.registry import MemoryFacts
from mizzen_operator.kinds.model_deployment.fit.demand import demand_of, model_of
from mizzen_operator.kinds.model_deployment.fit.settings import Settings
from mizzen_operator.kinds.model_deployment.fit.verdict import Verdict, gib, judge, smallest_tensor, thousands, usable
from support.published_models import DEEPSEEK_V3, GEMMA3_1B, LLAMA_8B, LLAMA_70B, PUBLISHED

GIB = 1024**3
BIG = MemoryFacts(config=LLAMA_70B)


def verdict(facts: MemoryFacts, card: int | None, **settings: Any):
    chosen = Settings(**settings)
    return judge(model_of(facts, chosen), chosen, card)


def test_a_model_that_fits_says_what_it_needs_and_what_is_left_for_the_cache():
    fit = verdict(BIG, 80 * GIB, tensor=2, max_model_len=8192)
    assert fit.verdict is Verdict.FITS
    assert fit.message == (
        "Needs 140 GiB (weights 131 GiB, overhead 5.9 GiB, 2.5 GiB of cache for a context of 8192 tokens); "
        "2 x 80 GiB at 0.9 with tensor: 2 leaves 6.6 GiB for 21 k tokens of cache."
    )


def test_weights_that_are_too_large_alone_are_suggested_the_smallest_tensor_size_that_fits():
    fit = verdict(BIG, 80 * GIB, max_model_len=8192)
    assert fit.verdict is Verdict.DOES_NOT_FIT
    assert "1 x 80 GiB at 0.9 with tensor: 1 is 62.7 GiB short before any cache." in fit.message
    assert "Set spec.engine.parallelism.tensor to 2, with 2 accelerators a replica" in fit.message


def test_a_context_that_is_too_long_is_suggested_the_longest_that_fits():
    fit = verdict(MemoryFacts(config=LLAMA_8B), 24 * GIB, max_model_len=131072)
    assert fit.verdict is Verdict.DOES_NOT_FIT
    assert "or set spec.engine.maxModelLen to 36864." in fit.message


def test_a_deployment_that_follows_the_suggested_context_fits_and_one_step_more_does_not():
    facts = MemoryFacts(config=LLAMA_8B)
    assert verdict(facts, 24 * GIB, max_model_len=36864).verdict is Verdict.FITS
    assert verdict(facts, 24 * GIB, max_model_len=36864 + 1024).verdict is Verdict.DOES_NOT_FIT


def test_nothing_helps_where_no_tensor_size_and_no_context_does():
    fit = verdict(MemoryFacts(config=DEEPSEEK_V3), GIB, max_model_len=4096)
    assert "No tensor size helps: choose a larger acceleratorClass" in fit.message


def test_without_the_accelerators_memory_the_need_is_told_and_nothing_decided():
    fit = verdict(BIG, None, tensor=2, max_model_len=8192)
    assert fit.verdict is Verdict.UNKNOWN
    assert "the accelerators' memory is not known" in fit.message
    assert fit.estimated_bytes is not None
    assert fit.estimated_bytes > 141_107_412_992


@given(
    st.sampled_from(PUBLISHED),
    st.integers(8, 192),
    st.sampled_from([1, 2, 4, 8]),
    st.sampled_from([1, 2]),
    st.integers(1, 200_000),
)
def test_a_suggestion_followed_is_a_deployment_that_fits(model, memory, tensor, pipeline, context):
    facts, card = MemoryFacts(config=model.config), memory * GIB
    settings = Settings(tensor=tensor, pipeline=pipeline, max_model_len=context)
    fit = judge(model_of(facts, settings), settings, card)
    for field, value in re.findall(r"et spec\.engine\.(\S+) to (\d+)", fit.message):
        changed = {"parallelism.tensor": "tensor", "maxModelLen": "max_model_len"}[field]
        followed = Settings(
            **({"tensor": tensor, "pipeline": pipeline, "max_model_len": context} | {changed: int(value)})
        )
        assert judge(model_of(facts, followed), followed, card).verdict is Verdict.FITS


@given(st.sampled_from(PUBLISHED), st.integers(1, 100), st.integers(1, 100_000))
def test_what_fits_an_accelerator_fits_a_larger_one_of_the_same_defaults(model, memory, context):
    settings = Settings(max_model_len=context, batched_tokens=2048, sequences=256)
    estimated = model_of(MemoryFacts(config=model.config), settings)
    if judge(estimated, settings, memory * GIB).verdict is Verdict.FITS:
        assert judge(estimated, settings, (memory + 1) * GIB).verdict is Verdict.FITS


def test_more_tensor_ways_never_leave_an_accelerator_with_more_weights():
    estimated = model_of(BIG, Settings())
    parts = [demand_of(estimated, Settings(tensor=ways), None).weights for ways in (1, 2, 4, 8)]
    assert parts == sorted(parts, reverse=True)


def test_heads_that_a_tensor_size_does_not_divide_rule_it_out():
    odd = model_of(MemoryFacts(config=LLAMA_70B | {"num_attention_heads": 63, "head_dim": 128}), Settings())
    assert smallest_tensor(odd, Settings(), 80 * GIB) is None


def test_a_stage_of_the_pipeline_has_its_layers_and_one_end_of_the_vocabulary():
    estimated = model_of(BIG, Settings())
    stage = demand_of(estimated, Settings(pipeline=2), None).weights
    assert estimated.weight_bytes / 2 <= stage < estimated.weight_bytes * 0.51


def test_sliding_layers_hold_a_window_of_a_long_request_and_no_more():
    slides = demand_of(model_of(MemoryFacts(config=GEMMA3_1B), Settings()), Settings(), None)
    keeps_all = GEMMA3_1B | {"layer_types": ["full_attention"] * 26}
    full = demand_of(model_of(MemoryFacts(config=keeps_all), Settings()), Settings(), None)
    assert slides.context == full.context == 32768
    assert slides.request < full.request / 3


def test_a_head_is_the_least_that_an_accelerator_keeps():
    parts = [demand_of(model_of(BIG, Settings()), Settings(tensor=ways), None).cache.token_bytes for ways in (1, 8, 16)]
    assert parts == [80 * 2 * 8 * 128 * 2, 80 * 2 * 128 * 2, 80 * 2 * 128 * 2]


def test_a_latent_row_is_kept_whole_on_each_accelerator():
    latent = model_of(MemoryFacts(config=DEEPSEEK_V3), Settings())
    ways = [demand_of(latent, Settings(tensor=ways), None).cache.token_bytes for ways in (1, 8)]
    assert ways[0] == ways[1]


@pytest.mark.parametrize(
    ("count", "said"),
    [(141 * GIB, "141 GiB"), (80 * GIB, "80 GiB"), (13_314_398_618, "12.4 GiB"), (48_234_496, "46 MiB")],
)
def test_bytes_are_told_as_people_say_them(count, said):
    assert gib(count) == said


@pytest.mark.parametrize(("count", "said"), [(31_400, "31 k"), (9_400, "9400"), (0, "0")])
def test_tokens_are_told_as_people_say_them(count, said):
    assert thousands(count) == said


def test_the_engine_takes_its_share_of_the_memory():
    assert usable(Settings(utilisation=0.5), 80 * GIB) == 40 * GIB
