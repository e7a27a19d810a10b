"""What does a request cost? A price as plain numbers at hand: each request is told what it could cost, and what it did.

A price comes as a message of the snapshot, whose fields take ten times as long to read.
"""

from mizzen_crds.access import Price

from mizzen_gateway.record import record
from mizzen_gateway.stages import Usage


@record
class Tariff:
    """All amounts in pico; nothing where there is no price."""

    rate_card_id: str = ""
    """Price that is applied; empty for none."""
    input_token: int = 0
    output_token: int = 0
    request: int = 0
    cached_token: int = 0
    """How much more than any other of the prompt; negative where it is less."""
    reasoning_token: int = 0
    """How much more than any other generated one."""
    accelerator_ms: int = 0
    cache_hit: int = 0
    """Of the response cache, which costs nothing else."""
    dearest_input_token: int = 0
    """The most that one of a prompt costs, cached or not."""
    dearest_output_token: int = 0
    """The most that a generated one costs, reasoning or not."""

    def cost(self, usage: Usage) -> int:
        """Price of what was used."""
        if usage.response_cache_hit:
            return self.cache_hit
        cost = self.request + usage.input_tokens * self.input_token + usage.output_tokens * self.output_token
        if usage.cached_tokens:
            cost += usage.cached_tokens * self.cached_token
        if usage.reasoning_tokens:
            cost += usage.reasoning_tokens * self.reasoning_token
        if usage.accelerator_ms:
            cost += usage.accelerator_ms * self.accelerator_ms
        return cost

    def most_cost(self, input_tokens: int, output_tokens: int) -> int:
        """The most that so many tokens can cost, however many of them turn out to be cached or reasoning."""
        cost = self.request + input_tokens * self.dearest_input_token + output_tokens * self.dearest_output_token
        return cost if cost > self.cache_hit else self.cache_hit


FREE = Tariff()


def tariff_of(price: Price | None) -> Tariff:
    """The same, for those who count."""
    if price is None:
        return FREE
    cached, reasoning = price.pico_per_cached_token, price.pico_per_reasoning_token
    return Tariff(
        rate_card_id=price.rate_card_id,
        input_token=price.pico_per_input_token,
        output_token=price.pico_per_output_token,
        request=price.pico_per_request,
        cached_token=0 if cached is None else cached - price.pico_per_input_token,
        reasoning_token=0 if reasoning is None else reasoning - price.pico_per_output_token,
        accelerator_ms=price.pico_per_accelerator_ms,
        cache_hit=price.pico_per_response_cache_hit,
        dearest_input_token=max(price.pico_per_input_token, cached or 0),
        dearest_output_token=max(price.pico_per_output_token, reasoning or 0),
    )
