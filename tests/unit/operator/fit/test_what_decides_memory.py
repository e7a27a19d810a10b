"""What is read from flags, headers and quantisation, and what is said where it cannot be told."""

from typing import Any

import pytest
from mizzen_crds.registry import MemoryFacts
from mizzen_operator.kinds.model_deployment.artifact import Artifact
from mizzen_operator.kinds.model_deployment.fit.check import fit_of
from mizzen_operator.kinds.model_deployment.fit.demand import demand_of, model_of
from mizzen_operator.kinds.model_deployment.fit.parameters import count_parameters
from mizzen_operator.kinds.model_deployment.fit.quantisation import UnknownQuantisationError, read_quantisation
from mizzen_operator.kinds.model_deployment.fit.settings import Settings, flag_values, settings_of
from mizzen_operator.kinds.model_deployment.fit.shape import UnknownShapeError, read_shape
from mizzen_operator.kinds.model_deployment.fit.verdict import Verdict
from support.deployments import deployment
from support.published_models import LLAMA_8B, QWEN25_7B

GIB = 1024**3
PACKED = {"quant_method": "compressed-tensors", "config_groups": {"g": {"weights": {"num_bits": 4, "group_size": 32}}}}
FACTS = MemoryFacts(config=LLAMA_8B, tensor_bytes={"BF16": 16_060_522_496})


def on_vllm(*args: str, **spec):
    engine = {"type": "vLLM", "args": list(args), "maxModelLen": 8192}
    return deployment(engine=engine, **({"resources": {"acceleratorsPerPod": 1}} | spec))


def weights(facts: MemoryFacts, **settings: Any) -> int:
    return model_of(facts, Settings(**settings)).weight_bytes


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--seed=1", "--enforce-eager"], {"--seed": "1", "--enforce-eager": ""}),
        (["--gpu_memory_utilization", "0.8"], {"--gpu-memory-utilization": "0.8"}),
        (["--seed", "-1"], {"--seed": "-1"}),
        (["stray"], {}),
    ],
)
def test_flags_are_read_in_each_spelling(args, said):
    assert flag_values(args) == said


def test_settings_come_from_the_spec_and_from_flags():
    chosen = settings_of(
        on_vllm("--gpu-memory-utilization=0.8", "--kv-cache-dtype=fp8", "--max-num-seqs=64", "--enforce-eager")
    )
    assert (chosen.utilisation, chosen.cache_dtype, chosen.sequences, chosen.eager) == (0.8, "fp8", 64, True)
    assert chosen.max_model_len == 8192


@pytest.mark.parametrize("value", ["2", "0", "-1", "most", "nan", ""])
def test_a_share_of_memory_that_cannot_be_is_left_at_the_default(value):
    assert settings_of(on_vllm(f"--gpu-memory-utilization={value}")).utilisation == 0.9


def test_a_cache_of_eight_bits_takes_half():
    chosen = [Settings(cache_dtype=kind, max_model_len=8192) for kind in ("auto", "fp8")]
    wide, narrow = (demand_of(model_of(FACTS, one), one, None).request for one in chosen)
    assert wide == 2 * narrow


def test_headers_win_over_counting():
    assert weights(MemoryFacts(config=LLAMA_8B, tensor_bytes={"BF16": 1000})) == 1000


def test_weights_of_32_bits_are_loaded_with_16_and_keep_32_where_asked():
    stored = MemoryFacts(config=LLAMA_8B, tensor_bytes={"F32": 4000, "I64": 8})
    assert weights(stored) == 2008
    assert weights(stored, dtype="float32") == 4008


def test_a_quantised_checkpoint_is_loaded_as_it_is_stored():
    config = LLAMA_8B | {"quantization_config": {"quant_method": "fp8"}}
    assert weights(MemoryFacts(config=config, tensor_bytes={"F8_E4M3": 1000, "F32": 40})) == 1040


def test_weights_that_are_quantised_while_they_load_take_half_but_for_the_vocabulary():
    assert weights(FACTS, quantisation="fp8") == pytest.approx(9_081_201_536, rel=0.01)


@pytest.mark.parametrize(
    ("config", "bits"),
    [
        ({"quant_method": "awq", "bits": 4, "group_size": 128}, 4 + 20 / 128),
        ({"quant_method": "gptq", "bits": 8, "group_size": -1}, 8),
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, 8 + 32 / 16384),
        ({"quant_method": "fp8"}, 8),
        ({"quant_method": "mxfp4"}, 4.25),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, 4.5),
        (PACKED, 4.5),
    ],
)
def test_a_quantised_weight_takes_so_many_bits_with_its_scales(config, bits):
    found = read_quantisation({"quantization_config": config})
    assert found is not None
    assert found.bits == pytest.approx(bits)


@pytest.mark.parametrize("config", [{"quant_method": "aqlm"}, {"bits": 4}, {"quant_method": "compressed-tensors"}])
def test_a_quantisation_of_unknown_width_is_not_guessed(config):
    with pytest.raises(UnknownQuantisationError):
        read_quantisation({"quantization_config": config})


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({}, "without model_type"),
        ({"model_type": "mamba2"}, "'mamba2' is not among those"),
        ({"model_type": "llama"}, "does not say num_hidden_layers"),
        (LLAMA_8B | {"hidden_size": 0}, "does not say hidden_size"),
        (LLAMA_8B | {"vocab_size": -1}, "does not say vocab_size"),
    ],
)
def test_a_shape_that_is_not_told_is_not_guessed(config, said):
    with pytest.raises(UnknownShapeError, match=said):
        read_shape(config)


def test_a_vision_tower_adds_a_bounded_part():
    plain = count_parameters(read_shape(QWEN25_7B)).total
    vision = {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "out_hidden_size": 3584}
    seeing = count_parameters(read_shape(QWEN25_7B | {"model_type": "qwen2_5_vl", "vision_config": vision})).total
    assert plain + 600_000_000 < seeing < plain + 1_000_000_000


def test_a_vision_tower_that_is_not_described_is_not_guessed_unless_headers_tell_the_bytes():
    config = QWEN25_7B | {"model_type": "qwen2_5_vl", "vision_config": {"model_type": "strange"}}
    with pytest.raises(UnknownShapeError, match="vision_config"):
        model_of(MemoryFacts(config=config), Settings())
    assert weights(MemoryFacts(config=config, tensor_bytes={"BF16": 16_584_333_312})) == 16_584_333_312


def test_the_text_part_of_a_configuration_is_read():
    assert read_shape({"text_config": LLAMA_8B, "model_type": "some_vision"}).hidden == 4096


def test_nothing_is_known_of_a_uri_before_it_is_fetched():
    at_uri = deployment(engine="vLLM", model={"uri": "hf://org/model"}, resources={"acceleratorsPerPod": 1})
    fit = fit_of(at_uri, Artifact("hf://org/model"), 80 * GIB)
    assert fit.verdict is Verdict.UNKNOWN
    assert "before it is fetched" in fit.message


def test_a_version_of_an_older_release_is_unknown_and_says_how_to_change_that():
    fit = fit_of(on_vllm(), Artifact("mizzen://mv_1", format="Safetensors"), 80 * GIB)
    assert fit.verdict is Verdict.UNKNOWN
    assert "Push it again" in fit.message


def test_weights_of_an_unknown_family_are_refused_only_where_they_alone_are_too_large():
    strange = MemoryFacts(config={"model_type": "mamba2"}, tensor_bytes={"BF16": 100 * GIB})
    artifact = Artifact("mizzen://mv_1", format="Safetensors", memory=strange)
    assert fit_of(on_vllm(), artifact, 80 * GIB).verdict is Verdict.DOES_NOT_FIT
    assert fit_of(on_vllm(), artifact, 192 * GIB).verdict is Verdict.UNKNOWN


def test_an_onnx_graph_is_held_against_one_accelerator():
    graph = Artifact("mizzen://mv_1", format="ONNX", memory=MemoryFacts(tensor_bytes={"FLOAT": 8 * GIB}))
    on_triton = deployment(resources={"acceleratorsPerPod": 1})
    assert fit_of(on_triton, graph, 16 * GIB).verdict is Verdict.FITS
    refused = fit_of(on_triton, graph, 8 * GIB)
    assert refused.verdict is Verdict.DOES_NOT_FIT
    assert "Needs 12.8 GiB (weights 8 GiB" in refused.message


def test_what_fits_alone_is_unknown_where_others_share_the_accelerator():
    shared = on_vllm(resources={"acceleratorsPerPod": 1, "sharing": "TimeSliced"})
    artifact = Artifact("mizzen://mv_1", format="Safetensors", memory=FACTS)
    assert fit_of(shared, artifact, 80 * GIB).verdict is Verdict.UNKNOWN
    assert fit_of(shared, artifact, 8 * GIB).verdict is Verdict.DOES_NOT_FIT


def test_an_engine_of_ones_own_is_never_judged():
    own = deployment(engine={"type": "Custom", "runtimeRef": "mine"}, resources={"acceleratorsPerPod": 1})
    fit = fit_of(own, Artifact("mizzen://mv_1", format="GGUF", memory=FACTS), GIB)
    assert fit.verdict is Verdict.UNKNOWN
    assert "The weights are 15 GiB" in fit.message
