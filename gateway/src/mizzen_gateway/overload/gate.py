"""May one more request go to a revision's replicas? Below their capacity at once; beyond it in fair order, or not.

One gate for each revision of a deployment. Whoever enters must leave, whatever becomes of it: a place that is left goes
to who is next. While nobody has to wait, entering is two comparisons and an addition.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Sequence
from copy import copy
from typing import Protocol

from mizzen_gateway.overload.capacity import Capacity
from mizzen_gateway.overload.fair_queue import FairQueue, Turn, Waiter
from mizzen_gateway.overload.refusals import overloaded, share_exceeded, waited_in_vain
from mizzen_gateway.overload.refused import Refused
from mizzen_gateway.overload.rules import OverloadRules
from mizzen_gateway.stages import Estimate, Refusal

NO_LIMIT = 1 << 62
ROUND = 32
"""Requests that a round has at least: fewer say little."""
ROOM = (1.0, 0.5, 0.2)
"""Of the queue, by priority: as full as that it takes no more of it, so that those who give way are refused first."""
LEAST_ROOM = 4
"""Requests that may wait, however slow the model is."""
PATIENCE = 4.0
"""Times `queue_seconds` after which nobody waits any more."""
LONGEST_RETRY = 60
USUAL_ANSWER = 256
"""Tokens, of a project of which nothing is known."""
BYTES_A_TOKEN = 4


class Replica(Protocol):
    """An endpoint, as far as it matters here."""

    ejected_until: float
    others: float
    shared_until: float
    """Several projects have asked it lately; loop time at which that is long ago."""


class Gate:
    """Before the replicas of one revision."""

    __slots__ = (
        "_able",
        "_ended",
        "_enough",
        "_entered",
        "_look_again",
        "_of_all",
        "_rules",
        "_seconds",
        "_skip",
        "_told_by",
        "_waited",
        "_work",
        "capacity",
        "epoch",
        "in_flight",
        "limit",
        "queue",
        "refusals",
        "replicas",
        "seconds_each",
        "shed",
        "waiting",
    )

    def __init__(self, rules: OverloadRules, shed: "Counter[tuple[int, str]] | None" = None) -> None:
        """`shed` outlives the gate."""
        self._rules = rules
        self.capacity = Capacity()
        self.replicas: Sequence[Replica] = ()
        self.refusals = Refused()
        self._of_all = self.capacity
        """As it was before the refusals of one project alone said something else."""
        self._told_by = ""
        """That project."""
        self.queue = FairQueue()
        self.in_flight = 0
        """Requests that have a place."""
        self.waiting = 0
        """Requests that have none yet."""
        self.limit = NO_LIMIT
        """Places of this gateway."""
        self.epoch = 0
        """How often the capacity was found to be another one."""
        self.shed: Counter[tuple[int, str]] = Counter() if shed is None else shed
        """Refused requests by priority and reason: full, share, late, elsewhere."""
        self.seconds_each = 1.0
        """How long a request holds its place, on average of the last ones."""
        self._able = 1
        self._look_again = math.inf
        """Loop time at which a replica takes part again."""
        self._enough = ROUND
        """Requests of the round under way."""
        self._skip = self._ended = self._waited = 0
        self._entered = 0
        self._seconds = self._work = 0.0

    # Every request

    def enters(self) -> bool:
        """Take a place, where nobody has to wait for one."""
        if self.in_flight < self.limit and not self.waiting:
            self.in_flight += 1
            return True
        return False

    def leave(self) -> None:
        """Give a place back."""
        self.in_flight -= 1
        if self.waiting:
            self._let_in()

    def ended(self, entered: int, epoch: int, seconds: float, work: float, now: float) -> None:
        """An engine answered well a request that was the `entered`-th at once when it got its place in `epoch`."""
        if epoch != self.epoch or not self._rules.on:
            return
        if self._skip:
            self._skip -= 1  # the first to end are the short ones
            return
        self._ended += 1
        self._entered += entered
        self._seconds += seconds
        self._work += work
        if self._ended >= self._enough:
            self._round(now)

    # When it matters

    async def wait(self, model: str, project: str, priority: int, tokens: int) -> Waiter | Refusal | None:
        """Wait for a place, which then is the caller's; a refusal at once where too many wait already.

        None where the replicas are gone: look for others. `tokens`: what the request will probably use.
        """
        loop = asyncio.get_running_loop()
        if self._told_by and project != self._told_by:
            self._take_back(loop.time())
        self.fit(loop.time())
        refusal = self._why_not(model, project, priority)
        if refusal is not None:
            return refusal
        waiter = self.queue.join(project, priority, tokens, loop.create_future())
        self.waiting += 1
        self._let_in()
        seconds = PATIENCE * self._rules.queue_seconds
        timer = loop.call_later(seconds, _too_late, waiter.turn)
        try:
            turn = await waiter.turn
        except asyncio.CancelledError:
            self._left(waiter)
            raise
        finally:
            timer.cancel()
        if turn is Turn.TOO_LATE:
            self._give_up(waiter)
            self.shed[priority, "late"] += 1
            return waited_in_vain(model, seconds, self._retry_after())
        return waiter if turn is Turn.COME else None

    def turn_away(self, model: str, priority: int) -> Refusal:
        """Do not wait: there is somewhere else to go."""
        self.shed[priority, "elsewhere"] += 1
        return self._overloaded(model, priority)

    def probable_tokens(self, project: str, prompt_bytes: int, estimate: Estimate | None) -> int:
        """What a request will use: a prompt of that size, and an answer as long as the project's last ones."""
        most = 0 if estimate is None else estimate.choices * estimate.output_tokens
        written = min(most, self.queue.share(project).output_tokens or USUAL_ANSWER)
        return max(1, prompt_bytes // BYTES_A_TOKEN + int(written))

    def serve(self, replicas: Sequence[Replica]) -> None:
        """Which replicas there are. Without any, those who wait look elsewhere."""
        self.replicas = replicas
        self._are_able(len(replicas) or 1)
        self._look_again = -math.inf
        self._set_limit()
        if replicas:
            self._let_in()
            return
        for _ in range(self.waiting):
            waiter = self._next()
            if waiter is not None:
                self.queue.refund(waiter)
                waiter.turn.set_result(Turn.LOOK_ELSEWHERE)

    def fit(self, now: float) -> None:
        """Replicas that failed have no capacity until they are tried again."""
        if not self._rules.on or not self.replicas or now < self._look_again:
            return
        gone = [one.ejected_until for one in self.replicas if one.ejected_until > now]
        self._look_again = min(gone, default=now + 1.0)
        self._are_able(len(self.replicas) - len(gone) or 1)
        self._set_limit()
        self._let_in()

    def refit(self, now: float) -> None:
        """A replica has failed, or another number of requests is right."""
        self._look_again = -math.inf
        self.fit(now)

    def refused(self, entered: int, epoch: int, project: str, now: float) -> None:
        """An engine says that it has too much to do, to a request that `ended` would be told of if it were answered.

        Where others say so too there are fewer places.
        """
        if epoch != self.epoch or not self._rules.on or self._rules.replica_requests:
            return
        shared = any(one.shared_until > now for one in self.replicas)
        found = self.refusals.too_many(entered, project, now, shared=shared)
        if found is None:
            return
        capacity = copy(self.capacity)
        if not capacity.refused(self._load(found.load), self._load(found.well)):
            return
        if found.project and not self._told_by:
            self._told_by, self._of_all = found.project, self.capacity
        elif found.project != self._told_by:
            self._told_by = ""
        self.capacity = capacity
        self._begin_anew()
        self.refit(now)

    def _take_back(self, now: float) -> None:
        """Somebody would wait because of what was refused to another project alone."""
        self._told_by, self.capacity = "", self._of_all
        self._begin_anew()
        self.refit(now)

    def _are_able(self, replicas: int) -> None:
        self.refusals.scale(replicas / self._able)
        self._able = replicas

    def _why_not(self, model: str, project: str, priority: int) -> Refusal | None:
        queue = self.queue
        room = max(LEAST_ROOM, math.ceil(self._answered_each_second() * self._rules.queue_seconds))
        mine = max(1, int(room * ROOM[priority]))
        ahead = sum(queue.waiting[:priority])
        if ahead + queue.waiting[priority] < mine:
            return None  # those of lower priority take nobody's room
        own = queue.waits(project, priority)
        projects = queue.projects[priority] + (not own)
        if ahead < mine and own < max(1, (mine - ahead) // projects):
            return None  # the others have filled the queue
        alone = projects == 1 or ahead >= mine
        self.shed[priority, "full" if alone else "share"] += 1
        if alone:
            return self._overloaded(model, priority)
        return share_exceeded(model, project, self._retry_after())

    def _overloaded(self, model: str, priority: int) -> Refusal:
        return overloaded(model, priority, self._rules.queue_seconds * ROOM[priority], self._retry_after())

    def _answered_each_second(self) -> float:
        return self.limit / self.seconds_each

    def _retry_after(self) -> int:
        return max(1, min(LONGEST_RETRY, math.ceil(self.waiting / self._answered_each_second())))

    def _let_in(self) -> None:
        while self.waiting and self.in_flight < self.limit:
            waiter = self._next()
            if waiter is None:
                return
            self.in_flight += 1
            self._waited += 1
            waiter.entered = self.in_flight
            waiter.turn.set_result(Turn.COME)
        if not self.waiting and self.in_flight <= self.limit // 2:
            self.queue.forget()

    def _next(self) -> Waiter | None:
        while (waiter := self.queue.pop()) is not None:
            if not waiter.turn.done():
                self.waiting -= 1
                return waiter
            self.queue.refund(waiter)  # it has given up, and says so itself
        return None

    def _left(self, waiter: Waiter) -> None:
        """Its caller has left while it waited, or in the moment in which its turn came."""
        turn = waiter.turn
        if turn.cancelled() or turn.result() is Turn.TOO_LATE:
            self._give_up(waiter)
        elif turn.result() is Turn.COME:
            self.queue.refund(waiter)
            self.leave()

    def _give_up(self, waiter: Waiter) -> None:
        self.queue.leave(waiter)
        self.waiting -= 1

    # Measuring

    def _round(self, now: float) -> None:
        ended, seconds = self._ended, max(self._seconds, 1e-6)
        self.seconds_each = max(1e-3, (self.seconds_each + seconds / ended) / 2)
        load, full = self._load(self._entered / ended), self._waited * 2 >= ended
        speed = self._work / seconds
        self._clear()
        if self._rules.replica_requests:
            return
        if self.capacity.ended(load, speed, full=full, replicas=self._able):
            self._begin_anew()
        self.refit(now)

    def _load(self, own: float) -> float:
        return (own + sum(one.others for one in self.replicas)) / self._able

    def _begin_anew(self) -> None:
        self.epoch += 1
        self._clear()
        self._skip = round((self.capacity.limit or 0) * self._able)

    def _clear(self) -> None:
        self._ended = self._waited = self._entered = 0
        self._seconds = self._work = 0.0

    def _set_limit(self) -> None:
        if not self._rules.on:
            return
        each = float(self._rules.replica_requests) or self.capacity.limit
        if each is None:
            self.limit, self._enough = NO_LIMIT, ROUND
            return
        places = each * self._able
        others = sum(one.others for one in self.replicas)
        if others:
            # Gateways that share replicas divide them by how much they are asked.
            own = self.in_flight + self.waiting + 1
            places *= own / (own + others)
        self.limit = max(1, round(places))
        self._enough = max(ROUND, self.limit)


def _too_late(turn: "asyncio.Future[Turn]") -> None:
    if not turn.done():
        turn.set_result(Turn.TOO_LATE)
