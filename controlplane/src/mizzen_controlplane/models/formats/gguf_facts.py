"""What do a GGUF file's facts say of memory? The same as a config.json, so they are told in its words."""

from collections.abc import Mapping
from typing import Any, Final

WORDS: Final = {
    "block_count": "num_hidden_layers",
    "embedding_length": "hidden_size",
    "feed_forward_length": "intermediate_size",
    "vocab_size": "vocab_size",
    "context_length": "max_position_embeddings",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "attention.key_length": "head_dim",
    "attention.sliding_window": "sliding_window",
    "attention.kv_lora_rank": "kv_lora_rank",
    "attention.q_lora_rank": "q_lora_rank",
    "rope.dimension_count": "qk_rope_head_dim",
    "expert_count": "num_experts",
    "expert_feed_forward_length": "moe_intermediate_size",
    "expert_shared_feed_forward_length": "shared_expert_intermediate_size",
    "leading_dense_block_count": "first_k_dense_replace",
}
"""Key below the architecture -> field of config.json. Source: the GGUF specification, ggml/docs/gguf.md."""

MODEL_TYPES: Final = {
    "qwen2moe": "qwen2_moe",
    "qwen3moe": "qwen3_moe",
    "deepseek2": "deepseek_v2",
    "gemma3": "gemma3_text",
    "gpt-oss": "gpt_oss",
}
"""Architectures that a config.json calls otherwise."""

LATENT_ONLY: Final = frozenset({"qk_rope_head_dim"})


def as_config(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a config.json that the facts tell; empty where they name no architecture."""
    architecture = facts.get("general.architecture")
    if not isinstance(architecture, str) or not architecture:
        return {}
    told = {
        word: value
        for key, word in WORDS.items()
        if isinstance(value := facts.get(f"{architecture}.{key}"), int) and not isinstance(value, bool)
    }
    if "kv_lora_rank" not in told:  # elsewhere the rotated part is no part of its own
        told = {word: value for word, value in told.items() if word not in LATENT_ONLY}
    model_type = MODEL_TYPES.get(architecture, architecture)
    if architecture == "llama" and told.get("num_experts"):
        model_type = "mixtral"
    return {"model_type": model_type, **told}
