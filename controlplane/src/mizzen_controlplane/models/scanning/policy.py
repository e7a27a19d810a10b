"""The rules of a project's policy: which formats it takes, what quarantines a version, whether one must be signed."""

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.audit.record import record
from mizzen_controlplane.identity.models import Project
from mizzen_controlplane.identity.scope import project_or_404
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.database import flush_or, reading, unit_of_work
from mizzen_controlplane.kit.etag import require_match
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import PreconditionFailed, invalid_field
from mizzen_controlplane.kit.schema_floor import raise_floor
from mizzen_controlplane.kit.wire import resource_fields
from mizzen_controlplane.models.scanning.models import ModelPolicy
from mizzen_controlplane.models.scanning.repository import find_policy
from mizzen_controlplane.models.scanning.schemas import PolicyPut, PolicyView
from mizzen_controlplane.models.signing.in_use import unsigned_in_use

_FIELDS = ("formats", "quarantine_from", "require_signature")
SIGNATURES_KNOWN_SINCE = "0030"
"""Migration whose release first knew signatures: earlier ones would serve what has none."""


async def _view(session: AsyncSession, plane: Plane, project: Project, policy: ModelPolicy) -> PolicyView:
    own = {**policy.model_dump(include=set(_FIELDS)), "unsigned": await unsigned_in_use(session, plane, project)}
    return PolicyView.model_validate({**resource_fields(policy), **own, "project": project.name})


async def policy_of(session: AsyncSession, project: Project) -> ModelPolicy:
    """The policy in force: the project's, else the default, which is in no table."""
    found = await find_policy(session, project.id)
    return found or ModelPolicy(
        id=f"mpo_{project.id}", name=project.name, project_id=project.id, created_at=project.created_at,
        updated_at=project.created_at,
    )  # fmt: skip


async def get(plane: Plane, project_ref: str) -> tuple[ModelPolicy, PolicyView]:
    """A project's policy."""
    async with reading(plane.database) as session:
        project = await project_or_404(session, plane, project_ref)
        policy = await policy_of(session, project)
        return policy, await _view(session, plane, project, policy)


async def put(
    plane: Plane, subject: Subject, project_ref: str, body: PolicyPut, if_match: str | None
) -> tuple[ModelPolicy, PolicyView]:
    """Write the policy; formats and findings hold for what is pushed or scanned from now on, signatures for all."""
    async with unit_of_work(plane.database) as session:
        project = await project_or_404(session, plane, project_ref)
        stored = await find_policy(session, project.id, lock=True)
        policy = stored or await policy_of(session, project)
        require_match(if_match, policy)
        before = policy.model_dump(include=set(_FIELDS))
        for name, value in _written(body).items():
            setattr(policy, name, value)
        after = policy.model_dump(include=set(_FIELDS))
        if policy.require_signature:
            await raise_floor(session, SIGNATURES_KNOWN_SINCE)
        if stored is None:
            policy.id = new_id("mpo")
            session.add(policy)
            await flush_or(session, PreconditionFailed("The policy was written by someone else just now."))
        elif before != after:
            policy.touch()
        if stored is None or before != after:
            record(
                session, subject, "model-policies.put", policy.id, name=project.name, project_id=project.id,
                before=before, after=after,
            )  # fmt: skip
        return policy, await _view(session, plane, project, policy)


def _written(body: PolicyPut) -> dict[str, object]:
    """Fields with their values; whether signatures are required changes only where the body says so."""
    own = body.model_dump(mode="json")
    return {name: value for name, value in own.items() if name != "require_signature" or value is not None}


async def require_format(session: AsyncSession, project: Project, format_name: str) -> None:
    """Raise Invalid for a format that the project's policy does not name."""
    policy = await policy_of(session, project)
    if policy.formats is not None and format_name not in policy.formats:
        raise invalid_field(
            "/format",
            f"The policy of the project {project.name!r} takes {', '.join(policy.formats)}, and not {format_name}. "
            "Convert the model, or have the policy changed (formats).",
            code="format_not_allowed",
        )
