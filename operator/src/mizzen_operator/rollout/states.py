"""Where does each revision stand? States for the status, which the next pass reads back as its memory."""

from mizzen_crds.v1alpha1.model_deployment.status import RevisionState, RevisionStatus

from mizzen_operator.rollout.fleet import ObservedRevision
from mizzen_operator.rollout.situation import SERVED_STATES, Situation
from mizzen_operator.rollout.strategies import Step


def state_of_target(situation: Situation, step: Step, before: RevisionState | None) -> RevisionState:
    """Return Serving once it has replaced all others with every replica ready, and from then on; else Progressing."""
    if not situation.under_way and (situation.goal.ready >= situation.wanted or before is RevisionState.SERVING):
        return RevisionState.SERVING
    if step.goal == 0 and situation.goal.replicas == 0 and before in {None, RevisionState.PENDING}:
        return RevisionState.PENDING if step.wait is not None else RevisionState.PROGRESSING
    return RevisionState.PROGRESSING


def state_of_other(
    revision: ObservedRevision, before: RevisionStatus | None, replicas: int, percent: int
) -> RevisionState:
    """Return the state of a revision that is not the target."""
    if before is not None and before.state is RevisionState.FAILED:
        return RevisionState.FAILED
    if before is not None and before.state not in SERVED_STATES and percent == 0:
        return RevisionState.PENDING  # superseded before it took a request: nothing to go back to
    if percent > 0:
        return RevisionState.SERVING
    return RevisionState.RETIRING if replicas or revision.pods else RevisionState.RETIRED
