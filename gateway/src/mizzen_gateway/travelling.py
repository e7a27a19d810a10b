"""How does a request of a route go from one deployment to the next? Leg by leg, each admitted and metered by itself."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mizzen_gateway.caching import Keep
from mizzen_gateway.protocols.call import Call
from mizzen_gateway.routing.route import Cause
from mizzen_gateway.routing.way import Leg, Way
from mizzen_gateway.stages import Refusal
from mizzen_gateway.wire.request import Request


@dataclass(slots=True)
class Travel:
    """One request of a route."""

    way: Way
    leg: Leg
    """Where it is."""
    began_at: float
    """Loop time."""
    request_id: str = ""
    """Of its first leg; those of later ones are made of it."""
    legs: int = 0
    cause: Cause | None = None
    """Why the leg failed; None where no other could do better."""
    copied: bool = False
    """Mirrors have their copies."""
    asked: tuple[Call, Request] | None = None
    """In a pipeline: what the caller asked, of which each leg is asked a part."""
    keep: Keep | None = None
    """In a pipeline: what the response cache has to do with the whole."""
    answers: bool = True
    """The leg's answer is the caller's; that of an earlier step of a pipeline is not."""
    step_began_at: float = 0.0
    """Loop time; of a pipeline."""

    def mint(self, new_request_id: Callable[[], str]) -> str:
        """The id of the next leg: each has a row, and what belongs together can be seen."""
        self.legs += 1
        if self.legs == 1:
            self.request_id = new_request_id()
            return self.request_id
        return f"{self.request_id}.{self.legs}"

    def seconds_left(self, now: float) -> float | None:
        """Until the time-out of the rule, which holds over all tries; None where the deployment's own holds.

        A step of a pipeline has the time-out of its route beside that of the pipeline, which holds over all steps.
        """
        seconds = self.leg.rule.request_seconds
        if self.asked is not None:
            whole = self.way.rule.request_seconds
            begun = ((self.step_began_at, seconds), (self.began_at, whole))
            ends = [began_at + given for began_at, given in begun if given]
            return max(0.001, min(ends) - now) if ends else whole if seconds is None else seconds
        if not seconds:
            return seconds
        return max(0.001, self.began_at + seconds - now)

    def following(self, now: float) -> Leg | None:
        """The next leg, where another deployment could do better than the one that has failed."""
        return self.way.after(self.leg, self.cause, now) if self.cause is not None else None

    def answers_elsewhere(self, cause: Cause, now: float) -> bool:
        """A request that would have to wait here has a fallback for `cause` that takes it now."""
        if self.way.after(self.leg, cause, now) is not None:
            return True
        return self.asked is not None and self.way.instead(cause, now) is not None


async def travel(
    under_way: Travel, serve: Callable[[Travel], Awaitable[Refusal | None]], clock: Callable[[], float]
) -> Refusal | None:
    """Ask one deployment after the other, until one answers or no fallback is left. None where one has answered."""
    way = under_way.way
    while True:
        way.been.add(under_way.leg.target.facts.key)
        refusal = await serve(under_way)
        following = under_way.following(clock()) if refusal is not None else None
        if following is None:
            return refusal
        under_way.leg, under_way.cause = following, None
