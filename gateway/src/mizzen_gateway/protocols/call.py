"""What the pipeline needs to know of a request and its answer, whatever protocol the caller speaks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from mizzen_gateway.engine.exchange import EngineRequest, EngineSink
from mizzen_gateway.engine.pool import EnginePool
from mizzen_gateway.record import record
from mizzen_gateway.routing.target import Target
from mizzen_gateway.stages import Estimate, Refusal, Usage
from mizzen_gateway.wire.response import HeaderList, Responder


@record
class Admission:
    """What the stages before have decided about the request that goes to the engine."""

    engine: str
    """Engine's type."""
    engine_model: str
    """Name that the engine knows the model by."""
    cache_salt: str
    """Separates the prefix cache of one tenant from another's."""
    output_cap: int | None
    """Tokens of one output that were reserved; None: as the caller asked."""
    request_id: str
    """Passed on, so that the engine's log can be matched."""
    forwarded: HeaderList = ()
    """Headers of the caller that the settings allow through."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the engine reads before it answers. Equal beginnings are equal bytes."""

    text: bytes
    """All of it."""
    opening: bytes
    """Its part that stays the same from turn to turn of a conversation."""


class Answer(EngineSink, Protocol):
    """Takes the engine's response and writes the caller's."""

    @property
    def status(self) -> int:
        """The engine's status; 0 before its head has come."""
        ...

    def complete(self) -> Usage | Refusal:
        """The engine's response is whole: write what is left. A refusal where it is not fit to be passed on."""
        ...

    def so_far(self) -> Usage:
        """What was used until now, for a response that ends early."""
        ...

    def break_off(self, refusal: Refusal) -> None:
        """The engine broke off after the first byte was written: say so, and end."""
        ...


class Whole(Protocol):
    """An answer of a call that is `whole`: `complete` writes nothing, unless it was too long to be held."""

    def send(self) -> None:
        """Write it, once what it used is booked; nothing where it has gone on as it came."""
        ...


@runtime_checkable
class Generating(Protocol):
    """An answer that is told token by token, and can be ended by an event that says why."""

    @property
    def generated(self) -> int:
        """Tokens so far."""
        ...

    def ended_with(self, data: bytes) -> bool:
        """Those bytes were its last."""
        ...

    def told_its_end(self, waiting: bytes = b"") -> bool:
        """Its own last words, `[DONE]` say, have gone on, or stand at the end of what is waiting to: an engine that
        breaks off behind them has left nothing out."""
        ...


class Call(Protocol):
    """A request that was parsed and whose parameters hold."""

    @property
    def operation(self) -> str:
        """chat.completions, completions, embeddings, infer."""
        ...

    @property
    def protocol(self) -> Literal["OpenAI", "OpenInference"] | None:
        """What the engine must speak; None where the call makes do with either."""
        ...

    @property
    def model(self) -> str:
        """Name as the caller wrote it."""
        ...

    @property
    def last_words(self) -> Callable[[Refusal], bytes] | None:
        """How a refusal looks in a stream that has begun; None where the answer is none that could wait."""
        ...

    @property
    def prompt_bytes(self) -> int:
        """Size of what the engine has to read before it answers; 0 where that is no work to speak of."""
        ...

    def prompt(self) -> Prompt | None:
        """What the engine reads, and might have read before; None where engines keep nothing of it."""
        ...

    def session(self) -> str:
        """What the body says about who or what it belongs to; empty for nothing."""
        ...

    @property
    def repeatable(self) -> bool:
        """It can still be sent to an engine, from its beginning."""
        ...

    @property
    def whole(self) -> bool:
        """Its answers are `Whole`: what was used is known before their first byte is written."""
        ...

    def end_user(self) -> str:
        """Whom the caller says that it asks for, where limits count each end user; empty for nobody."""
        ...

    async def check(self, target: Target, pool: EnginePool) -> Refusal | None:
        """What only the model can tell to be wrong."""
        ...

    def estimate(self, target: Target) -> Estimate:
        """The most that it can use."""
        ...

    def engine_request(self, admission: Admission) -> EngineRequest:
        """What the engine is asked."""
        ...

    def answer(self, responder: Responder, headers: HeaderList, engine_model: str) -> Answer:
        """A sink for one try at an engine; `headers` go out with a good answer."""
        ...


class Dialect(Protocol):
    """How a protocol says no."""

    def render(self, refusal: Refusal) -> bytes:
        """Body of a refusal."""
        ...
