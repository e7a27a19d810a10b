"""What is metered of a request? Meters that no token is counted by twice, in the order in which sums of them stand."""

from dataclasses import dataclass, fields
from typing import Self

from mizzen_crds.usage import UsageEvent


@dataclass(slots=True)
class Sums:
    """The meters, added up over requests."""

    requests: int = 0
    input_tokens: int = 0
    """Of prompts, without cached ones."""
    cached_tokens: int = 0
    """Of prompts: the engine had them in its prefix cache."""
    output_tokens: int = 0
    """Generated, without reasoning."""
    reasoning_tokens: int = 0
    """Generated, of reasoning."""
    accelerator_ms: int = 0
    response_cache_hits: int = 0
    """Requests that the response cache answered."""
    cost_pico: int = 0

    @classmethod
    def of(cls, event: UsageEvent) -> Self:
        """Of one request."""
        return cls(
            requests=1,
            input_tokens=event.input_tokens - event.cached_tokens,
            cached_tokens=event.cached_tokens,
            output_tokens=event.output_tokens - event.reasoning_tokens,
            reasoning_tokens=event.reasoning_tokens,
            accelerator_ms=event.accelerator_ms,
            response_cache_hits=int(event.response_cache_hit),
            cost_pico=event.cost_pico,
        )

    @property
    def tokens(self) -> int:
        """All of them."""
        return self.input_tokens + self.cached_tokens + self.output_tokens + self.reasoning_tokens

    def add(self, other: "Sums") -> None:
        """Add other sums; written out, as it is done for each request."""
        self.requests += other.requests
        self.input_tokens += other.input_tokens
        self.cached_tokens += other.cached_tokens
        self.output_tokens += other.output_tokens
        self.reasoning_tokens += other.reasoning_tokens
        self.accelerator_ms += other.accelerator_ms
        self.response_cache_hits += other.response_cache_hits
        self.cost_pico += other.cost_pico


METERS = tuple(field.name for field in fields(Sums))
"""Their names."""
