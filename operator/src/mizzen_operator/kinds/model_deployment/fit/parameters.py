"""How many parameters does a model have? Counted from its dimensions, by what becomes of them when it is quantised.

A decoder layer is attention (query, key, value, output) and a feed-forward part, as in the modules that `families`
names; DeepSeek's latent attention follows arXiv:2405.04434, section 2.1.
"""

from dataclasses import dataclass

from mizzen_operator.kinds.model_deployment.fit.shape import Shape, UnknownShapeError, number


@dataclass(frozen=True)
class Parameters:
    """Parameters by kind."""

    embedding: int
    """Rows of the vocabulary and of learned positions."""
    output: int
    """Matrix of the output; 0 where it is the embedding."""
    linear: int
    """Matrices of the layers but for the experts' own: what quantisation makes smaller."""
    expert: int
    """Matrices of the experts."""
    small: int
    """Norms, biases and routers, which keep their precision."""
    vision: int = 0
    """The vision tower, at most."""

    @property
    def total(self) -> int:
        """All of them."""
        return self.embedding + self.output + self.linear + self.expert + self.small + self.vision


def count_parameters(shape: Shape) -> Parameters:
    """Return the parameters. Raises UnknownShapeError where a vision tower cannot be counted."""
    embedding = shape.vocabulary * shape.hidden
    norm = shape.hidden * (2 if shape.family.norm_bias else 1)
    small = shape.layers * (_attention_small(shape) + shape.family.norms * norm) + norm
    plain_layers = shape.layers - (shape.experts.layers if shape.experts else 0)
    matrices = 3 if shape.family.gated else 2
    linear = shape.layers * _attention(shape) + plain_layers * matrices * shape.hidden * shape.intermediate
    expert = 0
    if shape.feed_forward_bias:
        small += plain_layers * ((matrices - 1) * shape.intermediate + shape.hidden)
    if shape.experts is not None:
        mixture = shape.experts
        expert = mixture.layers * mixture.count * matrices * shape.hidden * mixture.intermediate
        linear += mixture.layers * matrices * shape.hidden * mixture.shared_intermediate
        small += mixture.layers * _mixture_small(shape)
    return Parameters(
        embedding=embedding + shape.positions * shape.hidden,
        output=0 if shape.tied else embedding,
        linear=linear,
        expert=expert,
        small=small,
        vision=_vision(shape),
    )


def _attention(shape: Shape) -> int:
    """Matrices of one layer's attention."""
    latent, hidden = shape.latent, shape.hidden
    if latent is None:
        return hidden * shape.head_dim * (2 * shape.heads + 2 * shape.kv_heads)
    query_width = shape.heads * (latent.unrotated + latent.rotated)
    query = hidden * query_width
    if latent.query_rank is not None:
        query = latent.query_rank * (hidden + query_width)
    compressed = hidden * (latent.kv_rank + latent.rotated)
    expanded = latent.kv_rank * shape.heads * (latent.unrotated + latent.value)
    return query + compressed + expanded + shape.heads * latent.value * hidden


def _attention_small(shape: Shape) -> int:
    """Biases and norms of one layer's attention."""
    if shape.latent is not None:
        return shape.latent.kv_rank + (shape.latent.query_rank or 0)
    widths = (shape.heads + 2 * shape.kv_heads) * shape.head_dim
    small = widths if shape.attention_bias else 0
    # transformers' `attention_bias` covers the output projection in Llama; in Qwen2 it is not there.
    if shape.family.out_bias or (shape.attention_bias and not shape.family.qkv_bias):
        small += shape.hidden
    if shape.family.head_norms == "head":
        small += 2 * shape.head_dim
    if shape.family.head_norms == "all":
        small += (shape.heads + shape.kv_heads) * shape.head_dim
    return small + (shape.heads if shape.family.expert_biases else 0)


def _mixture_small(shape: Shape) -> int:
    """Router, gates and biases of one layer's mixture."""
    assert shape.experts is not None, "asked for a mixture alone"
    mixture = shape.experts
    small = shape.hidden * mixture.count + (shape.hidden if mixture.shared_gate else 0)
    if shape.family.router_correction:
        small += mixture.count  # DeepSeek-V3, arXiv:2412.19437, section 2.1.2
    if shape.family.expert_biases:
        small += mixture.count * (1 + 2 * mixture.intermediate + shape.hidden)
    return small


def _vision(shape: Shape) -> int:
    """At most so many: a layer is four square matrices and a gated feed-forward part, and one more joins the text."""
    if shape.vision is None:
        return 0
    hidden = number(shape.vision, "embed_dim", "hidden_size")
    layers = number(shape.vision, "num_hidden_layers", "depth", "num_layers")
    if hidden is None or layers is None:
        raise UnknownShapeError("vision_config does not say hidden_size and num_hidden_layers.")
    wide = number(shape.vision, "intermediate_size") or 4 * hidden
    return layers * (4 * hidden * hidden + 3 * hidden * wide) + 16 * hidden * (hidden + shape.hidden)
