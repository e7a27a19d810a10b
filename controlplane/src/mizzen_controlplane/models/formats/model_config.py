"""Which fields of a config.json decide how much memory a model needs? Those alone are kept with a version, bounded."""

from typing import Any, Final

from mizzen_controlplane.models.formats.artifact import UnfitArtifactError

MOST: Final = 1_000_000_000
"""No dimension of a model is larger; products of a few such numbers still fit 64 bits times a handful."""
MOST_ENTRIES: Final = 10_000
MOST_PARTS: Final = 64
DEEPEST: Final = 4
LONGEST_TEXT: Final = 64

NUMBERS: Final = frozenset(
    {
        "hidden_size", "n_embd", "d_model", "embed_dim", "out_hidden_size",
        "num_hidden_layers", "n_layer", "num_layers", "depth",
        "num_attention_heads", "n_head", "num_heads", "num_key_value_heads", "num_kv_heads", "head_dim",
        "intermediate_size", "n_inner", "ffn_dim", "vocab_size", "n_positions", "max_position_embeddings",
        "sliding_window", "sliding_window_pattern", "max_window_layers",
        "num_local_experts", "num_experts", "n_routed_experts", "n_shared_experts", "moe_intermediate_size",
        "shared_expert_intermediate_size", "decoder_sparse_step", "first_k_dense_replace", "moe_layer_freq",
        "q_lora_rank", "kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim",
        "num_nextn_predict_layers", "bits", "group_size", "num_bits",
    }
)  # fmt: skip
TEXTS: Final = frozenset({"model_type", "torch_dtype", "dtype", "quant_method", "format", "type"})
FLAGS: Final = frozenset(
    {
        "tie_word_embeddings", "attention_bias", "mlp_bias", "use_bias", "bias", "use_sliding_window", "multi_query",
        "new_decoder_architecture", "parallel_attn", "load_in_4bit", "load_in_8bit",
    }
)  # fmt: skip
LISTS: Final = frozenset({"layer_types", "mlp_only_layers", "weight_block_size"})
PARTS: Final = frozenset({"text_config", "vision_config", "quantization_config", "config_groups", "weights"})


def memory_fields(config: dict[str, Any], path: str, depth: int = 0) -> dict[str, Any]:
    """Return the fields that the fit check reads; one of another type than it reads is left out.

    Raises UnfitArtifactError where a number, a list or the nesting is beyond what any model has.
    """
    if depth > DEEPEST:
        raise UnfitArtifactError(f"{path} nests configurations deeper than {DEEPEST}. Push the original file.")
    kept: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, bool):
            if name in FLAGS:
                kept[name] = value
        elif isinstance(value, int) and name in NUMBERS:
            kept[name] = _number(path, name, value)
        elif isinstance(value, str) and name in TEXTS:
            kept[name] = value[:LONGEST_TEXT]
        elif isinstance(value, list) and name in LISTS:
            kept[name] = _list(path, name, value)
        elif isinstance(value, dict) and (name in PARTS or name.startswith("group_")):
            kept[name] = memory_fields(value, path, depth + 1)
    if len(kept) > MOST_PARTS + len(NUMBERS):
        raise UnfitArtifactError(f"{path} has more than {MOST_PARTS} groups of quantised weights. Push another file.")
    return kept


def _number(path: str, name: str, value: int) -> int:
    if not -1 <= value <= MOST:  # -1 is a group size: the whole row
        raise UnfitArtifactError(f"{path}: {name} is {value}, and no model has more than {MOST}. Push the original.")
    return value


def _list(path: str, name: str, value: list[Any]) -> list[Any]:
    if len(value) > MOST_ENTRIES:
        raise UnfitArtifactError(f"{path}: {name} has {len(value)} entries, and at most {MOST_ENTRIES} are read.")
    texts = [one[:LONGEST_TEXT] for one in value if isinstance(one, str)]
    numbers = [_number(path, name, one) for one in value if isinstance(one, int) and not isinstance(one, bool)]
    return texts or numbers
