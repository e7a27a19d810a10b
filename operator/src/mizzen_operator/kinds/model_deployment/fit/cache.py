"""How much does the cache of keys and values take? Per token, and for one request of the longest context.

A layer keeps a key and a value for each of its key and value heads (Ainslie and others, arXiv:2305.13245); latent
attention keeps one compressed row and the rotated part of one key (DeepSeek-V2, arXiv:2405.04434, section 2.1).
How vLLM divides and counts: `get_num_kv_heads` in config/model.py, `max_memory_usage_bytes` in v1/kv_cache_interface.py
and `_max_memory_usage_bytes_from_groups` in v1/core/kv_cache_utils.py.
"""

from dataclasses import dataclass

from mizzen_operator.kinds.model_deployment.fit.shape import Shape


@dataclass(frozen=True)
class Cache:
    """The cache of one accelerator."""

    layer_bytes: int
    """Of one token in one layer."""
    full_layers: int
    """Layers that keep every token."""
    sliding_layers: int
    """Layers that keep a window."""
    window: int
    """Tokens of the window."""
    block: int
    """Tokens of a block; a request takes whole blocks."""

    @property
    def token_bytes(self) -> int:
        """Of one token in all layers."""
        return self.layer_bytes * (self.full_layers + self.sliding_layers)

    @property
    def pool_block_bytes(self) -> int:
        """Of one block of the pool: one group of layers. Groups are even, as many layers as the smaller kind has."""
        return self.layer_bytes * self._group * self.block

    @property
    def _group(self) -> int:
        return min(self.full_layers, self.sliding_layers) or max(self.full_layers, self.sliding_layers)

    def blocks_of_request(self, tokens: int, batched: int) -> int:
        """Return the blocks that a request of so many tokens holds at most, `batched` of them in one step.

        A sliding layer holds its window and the step's tokens, and one block more because a window starts anywhere.
        """
        kept = -(-tokens // self.block)
        held = -(-min(self.window - 1 + batched, tokens) // self.block) + 1
        return -(-self.full_layers // self._group) * kept + -(-self.sliding_layers // self._group) * held

    def of_request(self, tokens: int, batched: int) -> int:
        """Return the bytes that such a request holds at most."""
        return self.pool_block_bytes * self.blocks_of_request(tokens, batched)

    def tokens_within(self, space: int, longest: int, batched: int) -> int:
        """Return the tokens that vLLM tells so much space to have room for: so many requests of the longest context."""
        return max(0, space) // self.pool_block_bytes * longest // self.blocks_of_request(longest, batched)


def cache_of(shape: Shape, *, width: int, tensor: int, pipeline: int, block: int) -> Cache:
    """Return one accelerator's cache; `width` are the bytes of a number in it.

    Heads are divided over `tensor`, and one is the least; a latent row is kept whole on each accelerator.
    """
    if shape.latent is not None:
        layer = (shape.latent.kv_rank + shape.latent.rotated) * width
    else:
        layer = 2 * max(1, shape.kv_heads // tensor) * shape.head_dim * width
    sliding = -(-shape.sliding_layers // pipeline)
    return Cache(
        layer_bytes=layer,
        full_layers=-(-(shape.layers - shape.sliding_layers) // pipeline),
        sliding_layers=sliding,
        window=shape.window or 0,
        block=block,
    )
