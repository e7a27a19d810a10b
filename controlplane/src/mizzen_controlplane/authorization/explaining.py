"""Why may somebody do something, or not? The answer of the guard's own decision, with the bindings that made it."""

from dataclasses import replace

from mizzen_controlplane.authorization.authority import bound_to, resolved
from mizzen_controlplane.authorization.decision import Decision, decide, held_at
from mizzen_controlplane.authorization.principals import caller_of
from mizzen_controlplane.authorization.roles import BUILT_IN
from mizzen_controlplane.authorization.schemas import AccessExplanation, DecidingBinding
from mizzen_controlplane.identity.scope import project_or_404
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.database import reading
from mizzen_controlplane.kit.permission import Permission
from mizzen_controlplane.kit.place import Place
from mizzen_controlplane.kit.plane import Plane


async def explain_mine(plane: Plane, subject: Subject, permission: Permission, asked: Place) -> AccessExplanation:
    """The same of oneself; of a project that one may not see, as of one that is not there."""
    async with reading(plane.database) as session:
        bindings = [] if subject.is_program else await bound_to(session, plane, subject)
        place = await resolved(session, plane, asked, bindings)
    known = place if place is not None and held_at(bindings, place) else None
    decision = decide(bindings, permission, known) if known is not None else Decision(False, ())
    return _told(subject, permission, asked, decision)


async def explain(plane: Plane, principal: str, permission: Permission, asked: Place) -> AccessExplanation:
    """Whether the principal may, and why; raises Invalid for one who is not there, NotFound for such a project."""
    async with reading(plane.database) as session:
        project = await project_or_404(session, plane, asked.project) if asked.project else None
        caller = await caller_of(session, principal, project.id if project is not None else "")
        bindings = await bound_to(session, plane, caller.subject)
        place = await resolved(session, plane, asked, bindings)
    if caller.disabled:
        return _shut_out(caller.subject, permission, asked)
    return _told(caller.subject, permission, asked, decide(bindings, permission, place or asked))


def _told(subject: Subject, permission: Permission, asked: Place, decision: Decision) -> AccessExplanation:
    by_token = permission in subject.permissions
    return AccessExplanation(
        principal=subject.principal,
        permission=permission,
        project=asked.project or None,
        resource=asked.resource or None,
        allowed=by_token or decision.allowed,
        because="everybody may, or the token itself carries it" if by_token else _because(decision, permission),
        bindings=[
            DecidingBinding(id=one.binding_id, role=one.role, principal=one.principal, effect=one.effect)
            for one in (() if by_token else decision.because)
        ],
        roles=[role.name for role in BUILT_IN.values() if permission in role.permissions],
    )


def _shut_out(subject: Subject, permission: Permission, asked: Place) -> AccessExplanation:
    told = _told(replace(subject, permissions=frozenset()), permission, asked, Decision(False, ()))
    return told.model_copy(update={"because": f"{subject.principal} is disabled: nothing that it asks is answered"})


def _because(decision: Decision, permission: Permission) -> str:
    if not decision.because:
        return f"no binding here holds {permission}, and nothing is allowed by itself"
    named = ", ".join(f"{one.role} ({one.binding_id})" for one in decision.because)
    return f"allowed by {named}" if decision.allowed else f"denied by {named}: a denial wins over all that allow"
