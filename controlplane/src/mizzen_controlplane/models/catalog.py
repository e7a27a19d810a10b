"""The rules of models: names under which versions are numbered."""

from mizzen_controlplane.audit.record import record
from mizzen_controlplane.identity.models import Project
from mizzen_controlplane.identity.scope import project_or_404
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.database import flush_or, reading, unit_of_work
from mizzen_controlplane.kit.etag import require_match
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.pages import PageQuery, page_of
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Conflict
from mizzen_controlplane.kit.wire import resource_fields
from mizzen_controlplane.models.models import Model
from mizzen_controlplane.models.records.tags import merged_tags
from mizzen_controlplane.models.repository import models_of
from mizzen_controlplane.models.schemas import ModelCreate, ModelPatch, ModelView
from mizzen_controlplane.models.scope import model_or_404

FIELDS = {"id": Model.id, "name": Model.name, "created_at": Model.created_at, "updated_at": Model.updated_at}


def view(project: Project, model: Model) -> ModelView:
    """On the wire."""
    fields = resource_fields(model)
    return ModelView.model_validate(
        {
            **fields,
            "project": project.name,
            "description": model.description,
            "promotion": model.promotion,
            "tags": model.tags,
            "latest_version": model.last_number,
        }
    )


async def create(plane: Plane, subject: Subject, project_ref: str, body: ModelCreate) -> tuple[Project, Model]:
    """Make a model; raises Conflict where the name is taken."""
    async with unit_of_work(plane.database) as session:
        project = await project_or_404(session, plane, project_ref)
        model = Model(
            id=new_id("mdl"), name=body.name, project_id=project.id, description=body.description, labels=body.labels,
            tags=body.tags,
        )  # fmt: skip
        session.add(model)
        taken = f"The project has a model named {body.name!r} already. Push a new version of it instead."
        await flush_or(session, Conflict(taken, code="name_taken"))
        record(
            session, subject, "models.create", model.id, name=model.name, project_id=project.id,
            after=model.model_dump(),
        )  # fmt: skip
    return project, model


async def change(
    plane: Plane, subject: Subject, project_ref: str, model_ref: str, body: ModelPatch, if_match: str | None
) -> tuple[Project, Model]:
    """Change description or labels."""
    async with unit_of_work(plane.database) as session:
        project, model = await model_or_404(session, plane, project_ref, model_ref, lock=True)
        require_match(if_match, model)
        before = model.model_dump()
        if body.description is not None:
            model.description = body.description
        if "promotion" in body.model_fields_set:
            model.promotion = body.promotion.model_dump(mode="json") if body.promotion is not None else None
        if body.tags is not None:
            model.tags = merged_tags(model.tags, body.tags)
        if body.labels is not None:
            model.labels = body.labels
        if model.model_dump() != before:
            model.touch()
            record(
                session, subject, "models.change", model.id, name=model.name, project_id=project.id,
                before=before, after=model.model_dump(),
            )  # fmt: skip
    return project, model


async def get(plane: Plane, project_ref: str, model_ref: str) -> tuple[Project, Model]:
    """One model; raises NotFound."""
    async with reading(plane.database) as session:
        return await model_or_404(session, plane, project_ref, model_ref)


async def page(plane: Plane, project_ref: str, asked: PageQuery) -> tuple[list[ModelView], str]:
    """One page of a project's models, by name."""
    async with reading(plane.database) as session:
        project = await project_or_404(session, plane, project_ref)
        rows, token = await page_of(
            session, models_of(project.id), asked, FIELDS, plane.secrets.page_key,
            default_order="name asc", scope=f"models {project.id}",
        )  # fmt: skip
    return [view(project, row) for row in rows], token
