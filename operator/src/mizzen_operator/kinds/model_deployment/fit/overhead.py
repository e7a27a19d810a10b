"""What does an engine take beside weights and cache? What it computes with, its graphs and its driver's context.

vLLM runs one step of `max_num_batched_tokens` tokens and one of `max_num_seqs` samples before it sizes the cache, and
keeps the larger of the two out of it (`determine_available_memory` in v1/worker/gpu_worker.py). The three constants are
allowances: the page "Will it fit" holds them against published measurements.
"""

from typing import Final

from mizzen_operator.kinds.model_deployment.fit.shape import Shape

MIB: Final = 1024 * 1024
GIB: Final = 1024 * MIB

CONTEXT_BYTES: Final = 768 * MIB
"""The driver's context, libraries' workspaces and communication buffers of one accelerator."""
GRAPHS_BYTES: Final = 1 * GIB
"""Captured graphs of one accelerator; none with `--enforce-eager`."""
VISION_BYTES: Final = 2 * GIB
"""What a vision tower computes with, for one image of the largest size."""

ROUTED: Final = 8
"""Experts at most that work on a token, in the families that are known."""

LARGE_MEMORY: Final = 70 * GIB
HUGE_MEMORY: Final = 160 * GIB


def batched_tokens(accelerator_bytes: int | None) -> int:
    """Return vLLM's default of tokens in one step: `get_batch_defaults` in its engine/arg_utils.py."""
    if accelerator_bytes is None or accelerator_bytes < LARGE_MEMORY:
        return 2048
    return 8192 if accelerator_bytes < HUGE_MEMORY else 16384


def sequences(accelerator_bytes: int | None) -> int:
    """Return vLLM's default of requests in one step, from the same place."""
    return 256 if accelerator_bytes is None or accelerator_bytes < LARGE_MEMORY else 1024


def step_bytes(shape: Shape, tokens: int, samples: int, tensor: int) -> int:
    """Return the bytes of one step's intermediate results on one accelerator, 16 bits wide.

    A layer at work holds four rows of the hidden size (the residual, its norm, what comes in and goes out), two of the
    feed-forward part and those of query, key and value, and with a mixture what each of its experts hands on; sampling
    holds the scores twice in 32 bits and once in 16.
    """
    mixture = shape.experts
    plain = shape.intermediate if mixture is None or mixture.layers < shape.layers else 0
    routed = min(ROUTED, mixture.count) if mixture is not None else 0
    mixed = routed * mixture.intermediate + mixture.shared_intermediate if mixture is not None else 0
    attention = (shape.heads + 2 * shape.kv_heads) * shape.head_dim
    row = (4 + routed) * shape.hidden + -(-(2 * max(plain, mixed) + attention) // tensor)
    return max(2 * tokens * row, samples * shape.vocabulary * (2 + 4 + 4))


def overhead_bytes(shape: Shape, *, tokens: int, samples: int, tensor: int, eager: bool) -> int:
    """Return what one accelerator gives beside weights and cache."""
    beside = step_bytes(shape, tokens, samples, tensor) + CONTEXT_BYTES
    return beside + (0 if eager else GRAPHS_BYTES) + (VISION_BYTES if shape.vision is not None else 0)
