"""In what do the families of language models differ, as far as memory is concerned?

Each row follows the family's modules in Hugging Face transformers, `models/<family>/modeling_<family>.py`; the values
that a config.json may leave out follow `configuration_<family>.py`.
"""

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True)
class Family:
    """What a config.json does not say because the family's code does."""

    gated: bool = True
    """The feed-forward part has three matrices (gate, up, down) rather than two."""
    qkv_bias: bool = False
    """Query, key and value have biases, whatever `attention_bias` says."""
    out_bias: bool = False
    """So has the projection after attention."""
    feed_forward_bias: bool = False
    """And each matrix of the feed-forward part."""
    norms: int = 2
    """Norms of one layer, each as wide as the hidden size."""
    norm_bias: bool = False
    """A norm has a bias beside its weight."""
    head_norms: Literal["", "head", "all"] = ""
    """Norms of query and key: none, one per head's width, or one over all heads."""
    positions: bool = False
    """Positions are learned: one row each."""
    tied: bool = False
    """The output matrix is the embedding, where config.json does not say."""
    head_dim: int | None = None
    """Width of a head where config.json does not say; by default hidden size over heads."""
    one_kv_head: bool = False
    """One key and value head where config.json does not say (multi-query attention)."""
    expert_biases: bool = False
    """Experts and router have biases, and each head an attention sink."""
    router_correction: bool = False
    """The router has a correction for each expert."""
    sliding_every: int = 0
    """Of so many layers all but the last slide, where no `layer_types` says; 1: every layer; 0: none."""


OLD_STYLE: Final = Family(
    gated=False, qkv_bias=True, out_bias=True, feed_forward_bias=True, norm_bias=True, positions=True, tied=True
)

FAMILIES: Final[dict[str, Family]] = {
    "llama": Family(),
    "mistral": Family(sliding_every=1),
    "ministral": Family(sliding_every=1),
    "mixtral": Family(sliding_every=1),
    "qwen2": Family(qkv_bias=True),
    "qwen3": Family(head_norms="head"),
    "qwen2_moe": Family(qkv_bias=True),
    "qwen3_moe": Family(head_norms="head"),
    "gemma": Family(tied=True, head_dim=256),
    "gemma2": Family(tied=True, head_dim=256, norms=4, sliding_every=2),
    "gemma3_text": Family(tied=True, head_dim=256, norms=4, head_norms="head", sliding_every=6),
    "phi3": Family(sliding_every=1),
    "olmo2": Family(head_norms="all"),
    "smollm3": Family(tied=True),
    "granite": Family(),
    "deepseek_v2": Family(),
    "deepseek_v3": Family(router_correction=True),
    "kimi_k2": Family(router_correction=True),
    "gpt_oss": Family(qkv_bias=True, out_bias=True, expert_biases=True, sliding_every=2),
    "gpt2": OLD_STYLE,
    "opt": OLD_STYLE,
    "gpt_neox": Family(gated=False, qkv_bias=True, out_bias=True, feed_forward_bias=True, norm_bias=True),
    "falcon": Family(gated=False, norms=1, norm_bias=True, tied=True, one_kv_head=True),
    "starcoder2": Family(
        gated=False, qkv_bias=True, out_bias=True, feed_forward_bias=True, norm_bias=True, tied=True, sliding_every=1
    ),
}
"""By `model_type`."""

TEXT_OF_VISION: Final = {
    "qwen2_vl": "qwen2",
    "qwen2_5_vl": "qwen2",
    "gemma3": "gemma3_text",
}
"""Models with a vision tower that carry the fields of their language model under another name or none."""
