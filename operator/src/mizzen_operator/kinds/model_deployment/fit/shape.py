"""How is a language model built? Its layers, heads and experts, from the words of a Hugging Face config.json."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mizzen_operator.kinds.model_deployment.fit.families import FAMILIES, TEXT_OF_VISION, Family

Config = Mapping[str, Any]


class UnknownShapeError(Exception):
    """The configuration does not tell how the model is built; the text says what is missing."""


@dataclass(frozen=True)
class Latent:
    """Multi-head latent attention: keys and values are kept as one compressed row (DeepSeek-V2, arXiv:2405.04434)."""

    kv_rank: int
    query_rank: int | None
    rotated: int
    """Width of the part of a key that carries the position."""
    unrotated: int
    value: int
    """Width of a head's value."""


@dataclass(frozen=True)
class Experts:
    """The mixture in the feed-forward part."""

    count: int
    intermediate: int
    """Width of one expert."""
    shared_intermediate: int
    """Width of what every token passes through; 0 for none."""
    shared_gate: bool
    layers: int
    """Layers with a mixture; the others have a plain feed-forward part."""


@dataclass(frozen=True)
class Shape:
    """Dimensions of a decoder."""

    family: Family
    layers: int
    hidden: int
    intermediate: int
    vocabulary: int
    heads: int
    kv_heads: int
    head_dim: int
    tied: bool
    context: int | None
    """Longest context in tokens, as the configuration says."""
    positions: int
    """Learned positions."""
    attention_bias: bool
    feed_forward_bias: bool
    latent: Latent | None
    experts: Experts | None
    window: int | None
    """Tokens that a sliding layer looks back; None where no layer slides."""
    sliding_layers: int
    vision: Config | None
    """Configuration of a vision tower beside it."""

    def without_vision(self) -> "Shape":
        """Return the language model alone."""
        return replace(self, vision=None)


def read_shape(config: Config) -> Shape:
    """Return the dimensions. Raises UnknownShapeError for a family without a row and for a field that is missing."""
    text = text_part(config)
    model_type = str(text.get("model_type") or "")
    family = FAMILIES.get(TEXT_OF_VISION.get(model_type, model_type))
    if family is None:
        named = f"The model type {model_type!r}" if model_type else "A configuration without model_type"
        raise UnknownShapeError(f"{named} is not among those whose cache can be estimated.")
    layers, hidden = needed(text, "num_hidden_layers", "n_layer"), needed(text, "hidden_size", "n_embd")
    heads = needed(text, "num_attention_heads", "n_head")
    window, sliding = _windows(text, family, layers)
    vision = config.get("vision_config")
    return Shape(
        family=family,
        layers=layers,
        hidden=hidden,
        intermediate=number(text, "intermediate_size", "n_inner", "ffn_dim") or 4 * hidden,
        vocabulary=needed(text, "vocab_size"),
        heads=heads,
        kv_heads=_kv_heads(text, family, heads),
        head_dim=number(text, "head_dim") or family.head_dim or max(1, hidden // heads),
        tied=flag(config, "tie_word_embeddings", default=flag(text, "tie_word_embeddings", default=family.tied)),
        context=number(text, "max_position_embeddings", "n_positions"),
        positions=(number(text, "max_position_embeddings", "n_positions") or 0) if family.positions else 0,
        attention_bias=family.qkv_bias or flag(text, "attention_bias"),
        feed_forward_bias=family.feed_forward_bias or flag(text, "mlp_bias"),
        latent=_latent(text),
        experts=_experts(text, layers),
        window=window,
        sliding_layers=sliding,
        vision=vision if isinstance(vision, Mapping) else None,
    )


def text_part(config: Config) -> Config:
    """Return the part of a configuration that describes the language model."""
    text = config.get("text_config")
    return text if isinstance(text, Mapping) and text.get("hidden_size") else config


def number(config: Config, *names: str) -> int | None:
    """Return the first of the fields that is a whole number above zero."""
    for name in names:
        value = config.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None


def needed(config: Config, *names: str) -> int:
    """Return the first of the fields that is a whole number above zero. Raises UnknownShapeError without one."""
    value = number(config, *names)
    if value is None:
        raise UnknownShapeError(f"config.json does not say {names[0]}.")
    return value


def flag(config: Config, name: str, *, default: bool = False) -> bool:
    """Return a field that is true or false."""
    value = config.get(name)
    return value if isinstance(value, bool) else default


def _kv_heads(text: Config, family: Family, heads: int) -> int:
    if family.one_kv_head and not flag(text, "new_decoder_architecture"):
        return 1 if flag(text, "multi_query", default=True) else heads
    return number(text, "num_key_value_heads", "num_kv_heads") or heads


def _latent(text: Config) -> Latent | None:
    rank = number(text, "kv_lora_rank")
    if rank is None:
        return None
    return Latent(
        kv_rank=rank,
        query_rank=number(text, "q_lora_rank"),
        rotated=number(text, "qk_rope_head_dim") or 64,
        unrotated=number(text, "qk_nope_head_dim") or 128,
        value=number(text, "v_head_dim") or 128,
    )


def _experts(text: Config, layers: int) -> Experts | None:
    count = number(text, "num_local_experts", "num_experts", "n_routed_experts")
    if count is None:
        return None
    width = number(text, "moe_intermediate_size") or needed(text, "intermediate_size")
    gated_share = number(text, "shared_expert_intermediate_size") or 0
    return Experts(
        count=count,
        intermediate=width,
        shared_intermediate=gated_share or (number(text, "n_shared_experts") or 0) * width,
        shared_gate=gated_share > 0,
        layers=sum(_is_mixture(text, layer) for layer in range(layers)),
    )


def _is_mixture(text: Config, layer: int) -> bool:
    """Whether a layer has a mixture: `first_k_dense_replace` (DeepSeek), `mlp_only_layers` and steps (Qwen)."""
    plain = text.get("mlp_only_layers")
    step, every = number(text, "decoder_sparse_step") or 1, number(text, "moe_layer_freq") or 1
    return (
        layer >= (number(text, "first_k_dense_replace") or 0)
        and layer % every == 0
        and (layer + 1) % step == 0
        and not (isinstance(plain, list) and layer in plain)
    )


def _windows(text: Config, family: Family, layers: int) -> tuple[int | None, int]:
    """Return the window and how many layers slide."""
    window, kinds = number(text, "sliding_window"), text.get("layer_types")
    if window is None or not flag(text, "use_sliding_window", default=True):
        return None, 0
    if isinstance(kinds, list) and len(kinds) == layers:
        sliding = sum(kind == "sliding_attention" for kind in kinds)
    else:
        every = number(text, "sliding_window_pattern") or family.sliding_every
        sliding = layers if every == 1 else layers - layers // every if every else 0
    return (window, sliding) if sliding else (None, 0)
