"""What a push keeps of headers and configuration for the fit check; no tensor is read, and nothing is unbounded."""

import json
from pathlib import Path
from typing import Any

import onnx
import pytest
from mizzen_controlplane.models.formats.artifact import Artifact, UnfitArtifactError
from mizzen_controlplane.models.formats.check import check_artifact
from mizzen_controlplane.models.formats.ggml_types import BLOCKS, tensor_bytes
from mizzen_controlplane.models.formats.model_config import MOST, MOST_ENTRIES, memory_fields
from mizzen_crds.registry import Signature
from onnx import TensorProto, helper
from support.pushing import gguf_file, onnx_model, safetensors_file

LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_key_value_heads": 1,
    "tie_word_embeddings": True,
    "rope_scaling": {"factor": 8.0},
    "torch_dtype": "bfloat16",
    "bos_token_id": 1,
}


def checked(folder: Path, format_name: str, files: dict[str, bytes]) -> Signature:
    """The signature of a folder with these files."""
    paths = {}
    for number, (name, content) in enumerate(files.items()):
        paths[name] = folder / str(number)
        paths[name].write_bytes(content)
    return check_artifact(format_name, Artifact(paths, allow_code=False))


def test_safetensors_tell_bytes_by_type_and_the_configuration_what_decides_memory(tmp_path: Path) -> None:
    files = {"model.safetensors": safetensors_file({"w": [3, 4]}), "config.json": json.dumps(LLAMA).encode()}
    memory = checked(tmp_path, "Safetensors", files).memory
    assert memory is not None
    assert memory.tensor_bytes == {"F32": 48}
    assert memory.config == {
        "model_type": "llama",
        "hidden_size": 8,
        "num_hidden_layers": 2,
        "num_key_value_heads": 1,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
    }


def test_files_beside_the_index_are_checked_and_not_counted(tmp_path: Path) -> None:
    index = {"weight_map": {"w": "model-00001-of-00001.safetensors"}}
    files = {
        "model-00001-of-00001.safetensors": safetensors_file({"w": [4]}),
        "consolidated.safetensors": safetensors_file({"w": [4]}),
        "model.safetensors.index.json": json.dumps(index).encode(),
    }
    signature = checked(tmp_path, "Safetensors", files)
    assert signature.parameters == 4
    assert signature.memory is not None
    assert signature.memory.tensor_bytes == {"F32": 16}


def test_an_index_that_names_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    files = {
        "model.safetensors": safetensors_file({"w": [4]}),
        "model.safetensors.index.json": json.dumps({"weight_map": {"w": "gone.safetensors"}}).encode(),
    }
    with pytest.raises(UnfitArtifactError, match=r"index\.json names 'gone\.safetensors'"):
        checked(tmp_path, "Safetensors", files)


def test_a_gguf_file_tells_the_same_in_its_own_words(tmp_path: Path) -> None:
    facts: dict[str, str | int] = {
        "general.architecture": "llama",
        "llama.block_count": 2,
        "llama.embedding_length": 8,
        "llama.attention.head_count": 4,
        "llama.attention.head_count_kv": 2,
        "llama.rope.dimension_count": 2,
        "llama.vocab_size": 100,
    }
    memory = checked(tmp_path, "GGUF", {"m.gguf": gguf_file(facts, {"w": [256, 2]})}).memory
    assert memory is not None
    assert memory.tensor_bytes == {"F32": 2048}
    assert memory.config == {
        "model_type": "llama",
        "num_hidden_layers": 2,
        "hidden_size": 8,
        "vocab_size": 100,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    }


def test_the_table_of_ggml_types_agrees_with_a_published_file() -> None:
    """Llama 3.1 8B: one matrix of 4096 x 14336 as Q4_K is 4.5 bits a weight, as Q6_K 6.5625."""
    assert tensor_bytes(12, 4096 * 14336) == ("Q4_K", 4096 * 14336 * 45 // 80)
    assert tensor_bytes(14, 4096 * 14336) == ("Q6_K", 4096 * 14336 * 105 // 128)


def test_a_tensor_takes_whole_blocks() -> None:
    for kind, (name, per_block, block_bytes) in BLOCKS.items():
        assert tensor_bytes(kind, per_block + 1) == (name, 2 * block_bytes)
    assert tensor_bytes(999, 1) is None


def test_a_gguf_file_of_a_type_that_is_not_known_tells_nothing_of_memory(tmp_path: Path) -> None:
    head = gguf_file({"general.architecture": "llama"}, {"w": [4]})
    unknown = head[:-12] + (999).to_bytes(4, "little") + head[-8:]
    signature = checked(tmp_path, "GGUF", {"m.gguf": unknown})
    assert signature.parameters == 4
    assert signature.memory is None


def test_an_onnx_graph_tells_the_bytes_of_its_weights(tmp_path: Path) -> None:
    weights = helper.make_tensor("w", TensorProto.FLOAT16, [4], [1.0] * 4)
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 4])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    memory = checked(tmp_path, "ONNX", {"model.onnx": model.SerializeToString()}).memory
    assert memory is not None
    assert memory.tensor_bytes == {"FLOAT16": 8}


def test_an_onnx_graph_without_weights_tells_that(tmp_path: Path) -> None:
    memory = checked(tmp_path, "ONNX", {"model.onnx": onnx_model()}).memory
    assert memory is not None
    assert memory.tensor_bytes == {}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"hidden_size": MOST + 1}, f"config.json: hidden_size is {MOST + 1}, and no model has more than {MOST}"),
        ({"hidden_size": -5}, "config.json: hidden_size is -5"),
        ({"layer_types": ["full_attention"] * (MOST_ENTRIES + 1)}, f"layer_types has {MOST_ENTRIES + 1} entries"),
        ({"quantization_config": {"config_groups": {f"group_{n}": {} for n in range(200)}}}, "more than 64 groups"),
    ],
)
def test_a_configuration_beyond_any_model_is_refused_with_file_and_limit(config: dict[str, Any], said: str) -> None:
    with pytest.raises(UnfitArtifactError) as refusal:
        memory_fields(config, "config.json")
    assert said in str(refusal.value)


def test_a_configuration_nested_without_end_is_refused() -> None:
    nested: dict[str, Any] = {}
    for _ in range(20):
        nested = {"text_config": nested}
    with pytest.raises(UnfitArtifactError, match="deeper than 4"):
        memory_fields(nested, "config.json")


@pytest.mark.parametrize("value", ["8", 8.5, None, [8], True])
def test_a_number_of_another_type_is_left_out_rather_than_guessed(value: object) -> None:
    assert memory_fields({"hidden_size": value}, "config.json") == {}


def test_a_gguf_file_that_announces_more_elements_than_there_can_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnfitArtifactError, match=r"m\.gguf is .*9007199254740992 is the most"):
        checked(tmp_path, "GGUF", {"m.gguf": gguf_file({}, {"w": [1 << 60, 1 << 60]})})
