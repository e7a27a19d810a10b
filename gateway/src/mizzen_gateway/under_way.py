"""What is known of one admitted request while it is under way? The pipeline makes it, forwarding fills it in."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from mizzen_gateway.caching import KeepingResponder
from mizzen_gateway.engine.pool import Address
from mizzen_gateway.heartbeats import Heartbeats
from mizzen_gateway.overload.place import Place
from mizzen_gateway.overload.priority import STANDARD
from mizzen_gateway.protocols.call import Answer, Call, Whole
from mizzen_gateway.racing import Runner
from mizzen_gateway.routing.affinity import Ask
from mizzen_gateway.routing.endpoint import EndpointState
from mizzen_gateway.routing.route import Cause
from mizzen_gateway.routing.target import Target
from mizzen_gateway.stages import Estimate, Intent, Outcome, Refusal, RequestLine, Reservation, Tried, Usage
from mizzen_gateway.trace_context import TraceLeg
from mizzen_gateway.travelling import Travel
from mizzen_gateway.wire.request import BadRequestError
from mizzen_gateway.wire.response import HeaderList, Responder

CALLER_LEFT = 499
LEFT = "caller_left"
"""Outcome of a try that was cancelled."""
NOTHING_USED = Usage(billable=False)
LEFT_BEFORE_AN_ENGINE = Usage(billable=False)
REFUSED_THERE = Usage(billable=False, refused=True)
"""No engine was asked."""


@dataclass(slots=True)
class Run:
    """One admitted request under way; becomes an `Outcome` when it ends."""

    call: Call
    target: Target
    intent: Intent
    responder: Responder
    headers: HeaderList
    output_cap: int | None
    cache_salt: str
    forwarded: HeaderList
    began_at: float
    """Loop time."""
    revision: str = ""
    first_byte_at: float | None = None
    usage: Usage = LEFT_BEFORE_AN_ENGINE
    status: int = CALLER_LEFT
    code: str = LEFT
    tries: list[Tried] = field(default_factory=list)
    reached: int = 0
    """Engines that got the request."""
    pods: frozenset[str] = frozenset()
    """Pods that failed it."""
    reservation: Reservation | None = None
    """What it holds of limits and budgets."""
    intended: bool = False
    """An engine is asked, or a kept answer given: it has a row."""
    booked_at_end: bool = True
    """Its intent is written first and its row when it has ended; else its row before its answer, which comes whole."""
    intend: "Callable[[Run], Refusal | None] | None" = None
    """Writes its intent, also where its answer turns out to be too long to be held until it is booked."""
    unsent: Whole | None = None
    """Its answer, until its row is written."""
    booked: Outcome | None = None
    """What its row says, once it is written before the answer."""
    asked: tuple[Address, str] | None = None
    """Engine that was asked last, and the name that it knows the model by."""
    over_grpc: bool = False
    """It was asked by gRPC."""
    accelerator_seconds: float = 0.0
    """Its share of the time of accelerators, over all tries."""
    answer: Answer | None = None
    """Of the engine that was asked last: it knows how an answer that has begun ends early."""
    share: float | None = None
    """Of the try under way: what its endpoint's clock of shared time said at its begin."""
    prompt_bytes: int = 0
    """Size of what the engine has to read before it answers; 0 where that is no work to speak of."""
    ask: Ask | None = None
    """What the deployment's policy wants to know of it."""
    read_by: EndpointState | None = None
    """Endpoint that has its prompt to read before it answers."""
    unread: int = 0
    """Bytes of that prompt that it has not read before."""
    heartbeats: Heartbeats | None = None
    """While a stream waits for a replica."""
    keeper: KeepingResponder | None = None
    """Keeps the answer, for a route that wants it kept."""
    travel: Travel | None = None
    """Of a request of a route: its way."""
    trace: TraceLeg | None = None
    """What tracing has to do with it, where spans are wanted."""
    line: RequestLine | None = None
    """Of the access log, where one is wanted."""
    runner: Runner | None = None
    """Of a route with hedges: this try among those beside it."""
    cause: Cause | None = None
    """Why it failed, as far as another deployment could do better."""
    priority: int = STANDARD
    estimate: Estimate | None = None
    """The most that it can use."""
    place: Place | None = None
    """What lets it ask a revision's replicas."""

    def leave(self) -> None:
        """Give its place back, if it has one."""
        place = self.place
        if place is not None:
            self.place = None
            place.leave(self.usage)

    def cut(self, refusal: Refusal, outcome: str) -> Refusal | None:
        """We end it, and not the caller: `outcome` is that of its tries. None where its stream has begun, and says so.

        What it has used stays; a refused one costs nothing.
        """
        self.tries = [replace(one, outcome=outcome) if one.outcome == LEFT else one for one in self.tries]
        if not self.responder.started:
            self.status, self.code, self.usage = refusal.status, refusal.code, NOTHING_USED
            return refusal
        self.status, self.code = 200, refusal.code
        if self.answer is None:
            self.responder.break_off()
        else:
            self.answer.break_off(refusal)
        return None

    def refuse(self, refusal: Refusal) -> None:
        """It ends so. Where an engine found fault with it, it has used one request, else nothing."""
        there = self.asked is not None and refusal.status < 500 and refusal.status != 429
        self.status, self.code, self.usage = refusal.status, refusal.code, REFUSED_THERE if there else NOTHING_USED

    def named(self, refusal: Refusal) -> Refusal:
        """With the id of its row, where it has one."""
        if not self.intended:
            return refusal
        return replace(refusal, headers=(*refusal.headers, self.headers[0]), has_row=True)

    def begin_heartbeats(self) -> None:
        """It waits; a second call does nothing."""
        words = self.call.last_words
        if self.heartbeats is None and words is not None:
            self.heartbeats = Heartbeats(self.responder, self.headers, words)
        if self.heartbeats is not None:
            self.heartbeats.go_on()

    def stop_heartbeats(self) -> None:
        """An engine has it, or nobody waits for it any more."""
        if self.heartbeats is not None:
            self.heartbeats.stop()

    @property
    def answered(self) -> bool:
        """The caller has a byte of an answer: heartbeats, sent while it waits for a replica, are none."""
        return self.responder.started and (self.first_byte_at is not None or self.usage.response_cache_hit)

    def prompt_goes_to(self, endpoint: EndpointState) -> None:
        """Weigh the prompt on the endpoint until its answer begins."""
        known = self.ask.known_bytes if self.ask is not None else 0
        self.unread = max(0, self.prompt_bytes - known)
        self.read_by = endpoint
        endpoint.prompt_bytes += self.unread

    def goes_on_early(self) -> int:
        """Its whole answer is too long to be held: an intent is written before the first byte of that.

        Gives the most tokens that the answer can have. Raises BadRequestError where it must not begin.
        """
        if not self.booked_at_end and self.intend is not None:
            refusal = self.intend(self)
            if refusal is not None:
                raise BadRequestError(refusal)
            self.booked_at_end = True
        return 0 if self.estimate is None else self.estimate.choices * self.estimate.output_tokens

    def engine_began(self) -> None:
        """The prompt is read; a second call does nothing."""
        if self.read_by is not None:
            self.read_by.prompt_bytes -= self.unread
            self.read_by = None
