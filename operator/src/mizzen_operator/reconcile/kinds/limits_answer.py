"""Does the control plane hold the limits of a project? Asked of it in a pass; while it is away, what it said stands."""

import asyncio
from typing import Final

from mizzen_crds.project_limits import LimitsState, ProjectLimitsAnswer
from mizzen_crds.v1alpha1 import conditions
from mizzen_crds.v1alpha1.metadata import Condition
from mizzen_crds.v1alpha1.project import Project
from pydantic import ValidationError

from mizzen_operator.conditions.verdict import Said, no, with_remedy, yes
from mizzen_operator.reconcile.controlplane import ControlPlane, ControlPlaneAwayError, words_of

FRESH_SECONDS: Final = 30.0
"""What is in force is asked for again after so long, if a pass comes."""
PENDING_SECONDS: Final = 2.0
"""Until the control plane has looked at a new generation."""
AGAIN_SECONDS: Final = 15.0
"""While it refuses an entry, or is away: no watch tells when that ends."""


class LimitsAnswer:
    """The control plane's answers about limits; those that are in force are remembered."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._in_force: dict[str, tuple[str, int, float]] = {}
        """By project: uid, generation and since when."""

    async def said(self, project: Project) -> Said | None:
        """Return the condition; None where there is nothing to ask, because there are no limits and were none."""
        if not _declares(project) and not _has_declared(project):
            self._in_force.pop(project.metadata.name, None)
            return None
        try:
            answer = await self._answer(project)
        except ControlPlaneAwayError as error:
            return _last(project) or Said(
                "Unknown",
                conditions.CONTROL_PLANE_UNAVAILABLE,
                with_remedy(conditions.CONTROL_PLANE_UNAVAILABLE, f"spec.limits and spec.budgets: {error}."),
            )
        return _told(project, answer)

    def forget(self, name: str) -> None:
        """The project is gone."""
        self._in_force.pop(name, None)

    async def _answer(self, project: Project) -> ProjectLimitsAnswer:
        name, uid, generation = project.metadata.name, project.metadata.uid, project.metadata.generation
        known = self._in_force.get(name)
        now = asyncio.get_running_loop().time()
        if known is not None and known[:2] == (uid, generation) and now - known[2] < FRESH_SECONDS:
            return ProjectLimitsAnswer(state=LimitsState.IN_FORCE)
        asked = {"uid": uid, "generation": str(generation)}
        status, body = await self._plane.get(f"internal/v1/projects/{name}/limits", asked)
        if status != 200:
            raise ControlPlaneAwayError(words_of(status, body))
        try:
            answer = ProjectLimitsAnswer.model_validate(body)
        except ValidationError as error:
            raise ControlPlaneAwayError(f"the control plane gave no answer that is understood ({error})") from error
        if answer.state is LimitsState.IN_FORCE:
            self._in_force[name] = (uid, generation, now)
        else:
            self._in_force.pop(name, None)
        return answer


def seconds_until_asked_again(said: Said | None) -> float | None:
    """Return after how many seconds the control plane may say something else; None where only an event changes it."""
    if said is None or said.true:
        return None
    return PENDING_SECONDS if said.reason == conditions.APPLYING else AGAIN_SECONDS


def _told(project: Project, answer: ProjectLimitsAnswer) -> Said:
    if answer.state is LimitsState.PENDING:
        return no(conditions.APPLYING, "The control plane has not looked at this generation of the spec yet.")
    if answer.state is LimitsState.REFUSED:
        return no(conditions.LIMIT_REFUSED, answer.message)
    if answer.state is LimitsState.MANAGED_THROUGH_API:
        return no(conditions.MANAGED_THROUGH_API)
    return yes(conditions.LIMITS_IN_FORCE if _declares(project) else conditions.NO_LIMITS)


def _declares(project: Project) -> bool:
    return bool(project.spec.limits or project.spec.budgets)


def _before(project: Project) -> Condition | None:
    return next((one for one in project.status.conditions if one.type == conditions.LIMITS_READY), None)


def _has_declared(project: Project) -> bool:
    """Whether the control plane may still hold limits of an earlier generation."""
    before = _before(project)
    return before is not None and before.reason not in (conditions.NO_LIMITS, conditions.NOT_OBSERVED)


def _last(project: Project) -> Said | None:
    """What was said of this very generation, as long as nobody can say otherwise."""
    before = _before(project)
    if before is None or before.observed_generation != project.metadata.generation:
        return None
    if before.reason not in (conditions.LIMITS_IN_FORCE, conditions.LIMIT_REFUSED, conditions.MANAGED_THROUGH_API):
        return None
    return Said(before.status, before.reason, before.message)
