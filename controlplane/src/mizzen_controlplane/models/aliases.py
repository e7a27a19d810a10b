"""The rules of aliases: a name points at one READY version; of two who move it at once, one gets 412."""

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.audit.record import record
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.database import flush_or, reading, unit_of_work
from mizzen_controlplane.kit.etag import require_match
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.pages import PageQuery, page_of
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Conflict, NotFound, PreconditionFailed
from mizzen_controlplane.kit.wire import resource_fields
from mizzen_controlplane.models.models import Model, ModelAlias
from mizzen_controlplane.models.promotion import require_promotion
from mizzen_controlplane.models.repository import aliases_of, find_alias
from mizzen_controlplane.models.schemas import AliasForce, AliasPut, AliasView, VersionState
from mizzen_controlplane.models.scope import model_or_404, version_or_404
from mizzen_controlplane.models.signing.requirement import require_signed
from mizzen_controlplane.models.standing import quarantined, state_now

FIELDS = {
    "id": ModelAlias.id,
    "name": ModelAlias.name,
    "version": ModelAlias.number,
    "created_at": ModelAlias.created_at,
}


def view(model: Model, alias: ModelAlias) -> AliasView:
    """On the wire."""
    return AliasView.model_validate({**resource_fields(alias), "model": model.name, "version": alias.number})


async def put(
    plane: Plane, subject: Subject, project_ref: str, model_ref: str, name: str, body: AliasPut | AliasForce,
    if_match: str | None,
) -> tuple[ModelAlias, AliasView, bool]:  # fmt: skip
    """Point the alias at a version; the last value says whether it was made now. AliasForce passes the model's gate."""
    async with unit_of_work(plane.database) as session:
        project, model = await model_or_404(session, plane, project_ref, model_ref)
        version = await version_or_404(session, model, body.version, lock=True)
        alias = await find_alias(session, model.id, name, lock=True)
        require_match(if_match, alias)
        if state_now(version) == VersionState.QUARANTINED:
            raise quarantined(f"Version {version.number}", version)
        if version.state != VersionState.READY:
            raise Conflict(
                f"Version {version.number} is {version.state}, and an alias points at a READY one. {version.reason}",
                code="version_not_ready",
            )
        await require_signed(session, f"Version {version.number}", version)
        reason = body.reason if isinstance(body, AliasForce) else None
        if reason is None:
            await require_promotion(session, model, alias, version)
        if alias is None:
            alias = ModelAlias(id=new_id("mal"), name=name, model_id=model.id, number=version.number)
            before = None
            session.add(alias)
            await flush_or(session, PreconditionFailed(f"The alias {name!r} was made by someone else just now."))
        else:
            before = {"version": alias.number}
            alias.number = version.number
        made, moved = before is None, before != {"version": alias.number}
        if moved:
            if not made:
                alias.touch()
            await _trace(session, subject, "aliases.put", project.id, model, alias, before, reason)
        return alias, view(model, alias), made


async def _trace(
    session: AsyncSession,
    subject: Subject,
    action: str,
    project_id: str,
    model: Model,
    alias: ModelAlias,
    before: dict[str, int] | None,
    forced: str | None = None,
) -> None:
    after: dict[str, object] | None = None if action == "aliases.delete" else {"version": alias.number}
    if forced is not None and after is not None:
        after |= {"forced": True, "reason": forced}
    record(
        session, subject, action, alias.id, name=f"{model.name}@{alias.name}", project_id=project_id,
        before=before, after=after,
    )  # fmt: skip


async def delete(
    plane: Plane, subject: Subject, project_ref: str, model_ref: str, name: str, if_match: str | None
) -> None:
    """Remove the alias; raises NotFound."""
    async with unit_of_work(plane.database) as session:
        project, model = await model_or_404(session, plane, project_ref, model_ref)
        alias = await find_alias(session, model.id, name, lock=True)
        require_match(if_match, alias)
        if alias is None:
            raise alias_missing(model, name)
        await session.delete(alias)
        await _trace(session, subject, "aliases.delete", project.id, model, alias, {"version": alias.number})


async def get(plane: Plane, project_ref: str, model_ref: str, name: str) -> tuple[ModelAlias, AliasView]:
    """One alias; raises NotFound."""
    async with reading(plane.database) as session:
        _project, model = await model_or_404(session, plane, project_ref, model_ref)
        alias = await find_alias(session, model.id, name)
    if alias is None:
        raise alias_missing(model, name)
    return alias, view(model, alias)


async def page(plane: Plane, project_ref: str, model_ref: str, asked: PageQuery) -> tuple[list[AliasView], str]:
    """One page of a model's aliases, by name."""
    async with reading(plane.database) as session:
        _project, model = await model_or_404(session, plane, project_ref, model_ref)
        rows, token = await page_of(
            session, aliases_of(model.id), asked, FIELDS, plane.secrets.page_key,
            default_order="name asc", scope=f"aliases {model.id}",
        )  # fmt: skip
    return [view(model, row) for row in rows], token


def alias_missing(model: Model, name: str) -> NotFound:
    """The refusal of an alias that is not there."""
    return NotFound(f"The model {model.name!r} has no alias {name!r}.", code="alias_not_found")
