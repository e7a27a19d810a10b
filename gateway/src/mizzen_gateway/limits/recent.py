"""What will a request probably use? As much as most requests of its key and model did of late.

Soft budgets alone reserve by it: too little is topped up while a stream goes on, too much comes back at the end.
"""

from collections import deque

from mizzen_gateway.stages import Estimate, Usage

KEPT = 64
"""Requests remembered of a key and model."""
PERCENT = 95
BYTES_A_TOKEN = 4
"""Of a prompt: its bound counts a token for each byte."""
FIRST_OUTPUT = 256
"""Tokens of one output, where none is known."""
FIRST_MS = 1000
"""Milliseconds of accelerators, likewise."""
LARGEST_UNKNOWN = 4096
"""Tokens of a prompt beyond which it is asked whether its size says anything of its tokens."""


class Recent:
    """The last requests of one key and model."""

    __slots__ = ("_inputs", "_ms", "_outputs", "accelerator_ms", "input_tokens", "output_tokens")

    def __init__(self) -> None:
        self._inputs: deque[int] = deque(maxlen=KEPT)
        self._outputs: deque[int] = deque(maxlen=KEPT)
        self._ms: deque[int] = deque(maxlen=KEPT)
        self.input_tokens: int | None = None
        """Of prompts: 95 of 100 had no more. None while none is known."""
        self.output_tokens: int | None = None
        """The same of what was generated for one request."""
        self.accelerator_ms: int | None = None
        """The same of accelerators."""

    def note(self, usage: Usage) -> None:
        """A request has ended."""
        if usage.response_cache_hit:
            return
        self._inputs.append(usage.input_tokens)
        self._outputs.append(usage.output_tokens)
        self._ms.append(usage.accelerator_ms)
        self.input_tokens, self.output_tokens = _most(self._inputs), _most(self._outputs)
        self.accelerator_ms = _most(self._ms)

    def likely(self, estimate: Estimate) -> tuple[int, int, int]:
        """Tokens of prompt and answer that a request will probably use, never more than its bound; and milliseconds."""
        prompt = -(-estimate.input_tokens // BYTES_A_TOKEN)
        unknown = max(self.input_tokens or 0, LARGEST_UNKNOWN)
        if prompt > unknown and estimate.why_unbounded is not None and estimate.why_unbounded() is not None:
            prompt = unknown  # a picture, say: its bytes are no text
        bound = estimate.choices * estimate.output_tokens
        known = self.output_tokens
        output = min(bound, estimate.choices * FIRST_OUTPUT if known is None else known)
        if not estimate.forwarded:
            return prompt, output, 0
        return prompt, output, FIRST_MS if self.accelerator_ms is None else self.accelerator_ms


def _most(values: deque[int]) -> int:
    return sorted(values)[(len(values) * PERCENT - 1) // 100]
