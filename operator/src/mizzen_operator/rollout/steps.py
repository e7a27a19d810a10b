"""How does a pass come to its step? Advance towards the target, or give it up and go back to the revision before."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from mizzen_crds.v1alpha1 import conditions
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_deployment.rollout import RolloutMode, Strategy
from mizzen_crds.v1alpha1.model_deployment.status import Hold, RevisionState, RevisionStatus, RolloutStatus

from mizzen_operator.revision import revision_name
from mizzen_operator.rollout import strategies
from mizzen_operator.rollout.canary import verdict
from mizzen_operator.rollout.fleet import Capacity, Fleet, ObservedRevision
from mizzen_operator.rollout.outcome import Happening, RevisionPlan, RolloutPlan
from mizzen_operator.rollout.outside import hopeless, waits_outside
from mizzen_operator.rollout.situation import (
    Situation,
    accelerators_per_replica,
    least_available,
    most_surge,
    served_before,
    trimmed,
)
from mizzen_operator.rollout.states import state_of_other, state_of_target
from mizzen_operator.rollout.strategies import Step, Wait
from mizzen_operator.rollout.traffic import traffic

UNSERVED = frozenset({RevisionState.PENDING, RevisionState.PROGRESSING, RevisionState.FAILED})
PROGRESS_PARTS = 20
"""Progress of a start is recorded when it is newer by this part of the deadline: not each second, to spare writes."""

COMES_BACK = "it served before and still runs, so no canary is needed"
REMEMBERED = ("started_at", "last_progress_at", "step_started_at")
"""Times of `status.rollout` that pauses and deadlines are counted from."""


@dataclass(frozen=True)
class Decision:
    """A step, and what the status has to remember of it."""

    situation: Situation
    step: Step
    strategy: Strategy | str = ""
    why: str = ""
    canary_step: int | None = None
    step_started_at: datetime | None = None
    given_up: Wait | None = None
    """Why the target is given up."""
    happenings: tuple[Happening, ...] = ()


@dataclass(frozen=True)
class Pass:
    """Everything that one pass decides from."""

    deployment: ModelDeployment
    target: str
    fleet: Fleet
    capacity: Capacity
    now: datetime
    wanted: int

    def plan(self) -> RolloutPlan:
        """Return the step."""
        if self.wanted == 0:
            return self._at_zero()
        if self.previous.failed_hash == self.target and not self._came_up_after_all():
            return self._retreat(self.previous)
        decision = self._advance()
        if decision.given_up is None:
            decision = self._deadline(self._at_rest(self._hopeless(decision)))
        if decision.given_up is not None:
            return self._give_up(decision.given_up)
        return self._outcome(decision)

    @cached_property
    def previous(self) -> RolloutStatus:
        """What the last pass remembered. A time to come was told by a clock that has been set back: it is now."""
        remembered = self.deployment.status.rollout or RolloutStatus()
        return remembered.model_copy(update={name: self.now for name in REMEMBERED if self._to_come(remembered, name)})

    def _to_come(self, remembered: RolloutStatus, name: str) -> bool:
        told: datetime | None = getattr(remembered, name)
        return told is not None and told > self.now

    @cached_property
    def known(self) -> dict[str, RevisionStatus]:
        """What the last pass said of each revision."""
        return {one.hash: one for one in self.deployment.status.revisions}

    @cached_property
    def target_revision(self) -> ObservedRevision:
        """The target, also before it has a workload."""
        name = revision_name(self.deployment.metadata.name, self.target)
        return self.fleet.find(self.target) or ObservedRevision(name, self.target, self.now)

    @cached_property
    def fresh(self) -> bool:
        """The rollout towards the target begins with this pass."""
        known = self.known.get(self.target)
        return known is None or known.state is not RevisionState.PROGRESSING

    def _situation(self, goal: ObservedRevision) -> Situation:
        every = {one.hash: one for one in (*self.fleet.revisions, self.target_revision)}
        others = sorted((one for one in every.values() if one.hash != goal.hash), key=lambda one: one.created_at)
        known = self.known.items()
        return Situation(
            goal=goal,
            others=tuple(others),
            wanted=self.wanted,
            least=least_available(self.deployment, self.wanted),
            surge=most_surge(self.deployment, self.wanted),
            need=accelerators_per_replica(self.deployment),
            capacity=self.capacity,
            never_served=frozenset(name for name, one in known if one.state in UNSERVED),
            unplaced_seconds=(self.now - self._unplaced_since(goal)).total_seconds(),
        )

    def _unplaced_since(self, goal: ObservedRevision) -> datetime:
        """Since when a pod of the goal waits and none goes: the hold remembers it; on the way back, pods are new."""
        hold = self.previous.hold
        if goal.hash == self.target:
            held = hold is not None and hold.gate == conditions.NO_SPARE_ACCELERATOR and not self.fresh
            return hold.since if hold is not None and held else self.now
        return min((pod.created_at for pod in goal.live if not pod.scheduled), default=self.now)

    # Forward

    def _advance(self) -> Decision:
        situation = self._situation(self.target_revision)
        paused = self.deployment.spec.rollout.mode is RolloutMode.PAUSED
        if paused and (situation.under_way or not self._begun(situation)):
            return self._paused(situation)
        waits_for_places = not self.fresh and situation.going > 0 and situation.goal.replicas < self.wanted
        if not situation.under_way and not waits_for_places:
            zero = {one.hash: 0 for one in situation.others}
            return Decision(situation, Step(self.wanted, zero, None, "the only revision"), *self._strategy_kept())
        started = (Happening("Normal", "RolloutStarted", f"Revision {self.target} replaces the one before."),)
        decision = self._by_strategy(situation)
        return replace(decision, happenings=(started if self.fresh else ()) + decision.happenings)

    def _begun(self, situation: Situation) -> bool:
        return situation.goal.replicas > 0 or served_before(self.known.get(self.target))

    def _strategy_kept(self) -> tuple[str, str]:
        return ("", "") if self.fresh else (self.previous.strategy_in_use, self.previous.strategy_reason)

    def _paused(self, situation: Situation) -> Decision:
        wait = Wait(conditions.PAUSED, "spec.rollout.mode is Paused. Set it to Active to go on.")
        goal, others = situation.goal.replicas, {one.hash: one.replicas for one in situation.others}
        missing = self.wanted - goal - sum(others.values())
        if missing < -situation.surge:
            others = trimmed(situation.others, others, sum(others.values()) + missing)
        elif missing > 0 and situation.under_way:
            largest = max(situation.others, key=lambda one: (one.ready, one.replicas, one.created_at))
            others[largest.hash] += missing
        share = self.known[self.target].traffic_percent if self.target in self.known else 0
        step = Step(goal, others, wait, "paused", share)
        number = None if self.fresh else self.previous.step
        return Decision(
            situation, step, *self._strategy_kept(), canary_step=number, step_started_at=self.previous.step_started_at
        )

    def _by_strategy(self, situation: Situation) -> Decision:
        rollout = self.deployment.spec.rollout
        in_use, reason = self._strategy_kept()
        comes_back = rollout.strategy is Strategy.CANARY and self._comes_back()
        if rollout.strategy is Strategy.CANARY and rollout.canary.steps and not comes_back:
            return self._canary(situation)
        wanted = Strategy.AUTO if rollout.strategy is Strategy.CANARY else rollout.strategy
        strategy, why = strategies.choose(situation, wanted, in_use, reason)
        why = COMES_BACK if comes_back else why
        if strategy is Strategy.BLUE_GREEN:
            switched = not self.fresh and self.known[self.target].traffic_percent == 100
            return Decision(situation, strategies.blue_green(situation, switched=switched), strategy, why)
        step = strategies.replace(situation) if strategy is Strategy.REPLACE else strategies.surge(situation)
        return Decision(situation, step, strategy, why)

    def _comes_back(self) -> bool:
        """A revision that served and still has replicas ready was judged before: its requests wait for no steps."""
        if not self.fresh:
            return self.previous.strategy_reason == COMES_BACK
        return served_before(self.known.get(self.target)) and self.target_revision.ready > 0

    def _canary(self, situation: Situation) -> Decision:
        steps = self.deployment.spec.rollout.canary.steps
        number = 0 if self.fresh or self.previous.step is None else self.previous.step
        since = None if self.fresh else self.previous.step_started_at
        place, why = strategies.choose(situation, Strategy.AUTO, "")
        if number >= len(steps):
            return self._canary_ends(situation, number, place, why)
        before = steps[number - 1].traffic_percent if number else 0
        step = strategies.canary(situation, steps[number].traffic_percent, before, place)
        decision = Decision(situation, step, Strategy.CANARY, why, number, since)
        if not step.reached:
            return decision
        judged = verdict(self.deployment, situation, number, since or self.now, self.now)
        if judged.failed:
            return replace(decision, given_up=Wait(conditions.ANALYSIS_FAILED, judged.failed))
        if judged.passed:
            text = f"Step {number} at {steps[number].traffic_percent} % of requests passed."
            passed = Happening("Normal", "CanaryStepPassed", text)
            return replace(decision, canary_step=number + 1, step_started_at=None, happenings=(passed,))
        return replace(decision, step=replace(step, wait=judged.wait), step_started_at=since or self.now)

    def _canary_ends(self, situation: Situation, number: int, place: Strategy, why: str) -> Decision:
        last = self.deployment.spec.rollout.canary.steps[-1].traffic_percent
        step = strategies.replace(situation) if place is Strategy.REPLACE else strategies.surge(situation)
        share = 100 if situation.goal.staying >= self.wanted else last
        return Decision(situation, replace(step, share=share), Strategy.CANARY, why, number)

    # The clock

    def _progress_at(self, decision: Decision) -> datetime:
        last = self.previous.last_progress_at
        released = self.previous.hold is not None and decision.step.wait is None
        known = self.known.get(self.target)
        if self.fresh or last is None or released or (known is not None and self.target_revision.ready > known.ready):
            return self.now
        newest = max((pod.progress_at for pod in self.target_revision.live if pod.progress_at), default=last)
        slack = timedelta(seconds=self.deployment.spec.rollout.progress_deadline_seconds / PROGRESS_PARTS)
        return newest if newest > last + slack else last

    def _hopeless(self, decision: Decision) -> Decision:
        """Where another revision can serve, one that no time helps is given up at once."""
        paused = self.deployment.spec.rollout.mode is RolloutMode.PAUSED
        failure = None if paused or self._revision_before() is None else hopeless(self.target_revision)
        if failure is None or self._state(decision) is RevisionState.SERVING:
            return decision
        text = f"Revision {self.target} cannot start: {failure.message}"
        return replace(decision, given_up=Wait(failure.reason, text))

    def _at_rest(self, decision: Decision) -> Decision:
        """A step that takes what the revision cannot help for a wait: the deadline rests meanwhile."""
        if decision.step.wait is not None or self._state(decision) is RevisionState.SERVING:
            return decision
        return replace(decision, step=replace(decision.step, wait=waits_outside(decision.situation)))

    def _deadline(self, decision: Decision) -> Decision:
        if decision.given_up is not None:
            return decision
        if decision.step.wait is not None or self._state(decision) is RevisionState.SERVING:
            return decision
        limit = self.deployment.spec.rollout.progress_deadline_seconds
        if self.now - self._progress_at(decision) <= timedelta(seconds=limit):
            return decision
        text = f"Revision {self.target} made no progress for {limit} s (spec.rollout.progressDeadlineSeconds)."
        return replace(decision, given_up=Wait(conditions.PROGRESS_DEADLINE_EXCEEDED, text))

    # Back

    def _give_up(self, why: Wait) -> RolloutPlan:
        kept = "" if self._revision_before() else " None served before, so its pods stay and go on trying."
        status = self.previous.model_copy(
            update={
                "failed_hash": self.target,
                "hold": Hold(gate=why.gate, reason=f"{why.reason}{kept}", since=self.now),
                "step": None,
                "step_started_at": None,
            }
        )
        happening = Happening("Warning", "RevisionGivenUp", why.reason)
        return self._retreat(status, (happening,))

    def _came_up_after_all(self) -> bool:
        """Given up with nothing to go back to, it went on trying, and all its replicas are ready."""
        return self._revision_before() is None and self.target_revision.ready >= self.wanted

    def _retreat(self, status: RolloutStatus, happenings: tuple[Happening, ...] = ()) -> RolloutPlan:
        back = self._revision_before()
        if back is None:
            # Without it nothing would run at all, and what it waits for may pass: its pods stay.
            situation = self._situation(self.target_revision)
            step = Step(self.wanted, {one.hash: 0 for one in situation.others})
            replicas, why = step.others | {self.target: step.goal}, "given up, and no revision served before"
            return self._collect(replicas, traffic(situation, step), status, why, happenings)
        situation = self._situation(back)
        if situation.under_way:
            place, _ = strategies.choose(situation, Strategy.AUTO, "")
            step = strategies.replace(situation) if place is Strategy.REPLACE else strategies.surge(situation)
        else:
            step = Step(self.wanted, {one.hash: 0 for one in situation.others})
        replicas = step.others | {back.hash: step.goal}
        shares = traffic(situation, step, banned=self.target)
        return self._collect(replicas, shares, status, "back to the revision before", happenings)

    def _revision_before(self) -> ObservedRevision | None:
        others = [one for one in self.fleet.revisions if one.hash != self.target]
        candidates = [one for one in others if self._good(one)] or [one for one in others if one.ready > 0]
        return max(candidates, key=lambda one: (one.ready > 0, one.replicas > 0, one.created_at), default=None)

    def _good(self, revision: ObservedRevision) -> bool:
        known = self.known.get(revision.hash)
        return served_before(known) or (known is None and revision.ready > 0)

    # The result

    def _at_zero(self) -> RolloutPlan:
        status = self.previous.model_copy(update={"hold": None, "step": None, "step_started_at": None})
        if self.previous.failed_hash == self.target:
            status = self.previous
        none = {one.hash: 0 for one in (*self.fleet.revisions, self.target_revision)}
        return self._collect(none, {}, status, "no replica is wanted", ())

    def _outcome(self, decision: Decision) -> RolloutPlan:
        step, situation = decision.step, decision.situation
        replicas = step.others | {self.target: step.goal}
        state = self._state(decision)
        # A revision that was never told of may have become ready while no operator ran: it began all the same.
        begins = self.fresh and (state is RevisionState.PROGRESSING or self.target not in self.known)
        settled = state is RevisionState.SERVING
        status = RolloutStatus(
            strategy_in_use=decision.strategy if not settled else self.previous.strategy_in_use,
            strategy_reason=decision.why if not settled else self.previous.strategy_reason,
            step=None if settled else decision.canary_step,
            step_started_at=None if settled else decision.step_started_at,
            started_at=self.now if begins else self.previous.started_at,
            last_progress_at=self.previous.last_progress_at
            if self._settled_before(settled)
            else self._progress_at(decision),
            hold=self._hold(step.wait),
        )
        happenings = decision.happenings
        if settled and not self.fresh:
            happenings += (
                Happening("Normal", "RolloutCompleted", f"Revision {self.target} is ready and serves alone."),
            )
        return self._collect(replicas, traffic(situation, step), status, step.why, happenings, state)

    def _settled_before(self, settled: bool) -> bool:
        return settled and self.fresh and self.target in self.known

    def _state(self, decision: Decision) -> RevisionState:
        known = self.known.get(self.target)
        return state_of_target(decision.situation, decision.step, None if known is None else known.state)

    def _hold(self, wait: Wait | None) -> Hold | None:
        if wait is None:
            return None
        before = self.previous.hold
        since = before.since if before is not None and before.gate == wait.gate else self.now
        return Hold(gate=wait.gate, reason=wait.reason, since=since, needed=wait.needed, free=wait.free)

    def _collect(
        self,
        replicas: dict[str, int],
        shares: dict[str, int],
        status: RolloutStatus,
        why: str,
        happenings: Iterable[Happening],
        state: RevisionState | None = None,
    ) -> RolloutPlan:
        every = {one.hash: one for one in (*self.fleet.revisions, self.target_revision)}
        ordered = sorted(every.values(), key=lambda one: (one.hash == self.target, one.created_at), reverse=True)
        if state is None:
            state = self._resting_state()
        plans = tuple(
            RevisionPlan(
                one.hash,
                one.name,
                replicas[one.hash],
                shares.get(one.hash, 0),
                state
                if one.hash == self.target
                else state_of_other(one, self.known.get(one.hash), replicas[one.hash], shares.get(one.hash, 0)),
                why,
            )
            for one in ordered
        )
        return RolloutPlan(
            target=self.target,
            wanted=self.wanted,
            least=least_available(self.deployment, self.wanted),
            revisions=plans,
            rollout=status,
            complete=state is RevisionState.SERVING,
            expired=self._expired(plans, every),
            happenings=tuple(happenings),
        )

    def _resting_state(self) -> RevisionState:
        if self.previous.failed_hash == self.target or self.wanted > 0:
            return RevisionState.FAILED
        served = served_before(self.known.get(self.target))
        return RevisionState.SERVING if served else RevisionState.PENDING

    def _expired(self, plans: tuple[RevisionPlan, ...], every: dict[str, ObservedRevision]) -> tuple[str, ...]:
        gone = [
            one.hash
            for one in plans
            if one.hash != self.target
            and one.replicas == 0
            and not every[one.hash].pods
            and not every[one.hash].replicas
        ]
        return tuple(gone[self.deployment.spec.rollout.revision_history_limit :])
