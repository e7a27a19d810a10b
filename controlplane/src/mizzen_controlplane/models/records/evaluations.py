"""The rules of results: posted to a version at any time, never changed; of one metric the newest counts."""

from mizzen_controlplane.audit.record import record
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.database import reading, unit_of_work
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.pages import PageQuery, page_of
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.wire import resource_fields
from mizzen_controlplane.models.models import Model, ModelVersion
from mizzen_controlplane.models.records.models import Evaluation
from mizzen_controlplane.models.records.repository import evaluations_of, newest_evaluations
from mizzen_controlplane.models.records.schemas import EvaluationCreate, EvaluationView
from mizzen_controlplane.models.scope import model_or_404, version_or_404

FIELDS = {
    "id": Evaluation.id,
    "name": Evaluation.name,
    "dataset": Evaluation.dataset,
    "created_at": Evaluation.created_at,
}


def view(model: Model, version: ModelVersion, row: Evaluation) -> EvaluationView:
    """On the wire."""
    own = row.model_dump(include={"value", "unit", "dataset", "created_by"})
    return EvaluationView.model_validate(
        {**resource_fields(row), **own, "model": model.name, "version": version.number}
    )


async def create(
    plane: Plane, subject: Subject, project_ref: str, model_ref: str, number: int, body: EvaluationCreate
) -> tuple[Evaluation, EvaluationView]:
    """Post a result; raises NotFound."""
    async with unit_of_work(plane.database) as session:
        project, model = await model_or_404(session, plane, project_ref, model_ref)
        version = await version_or_404(session, model, number)
        row = Evaluation(
            id=new_id("evl"), project_id=project.id, version_id=version.id, created_by=subject.name,
            **body.model_dump(),
        )  # fmt: skip
        session.add(row)
        record(
            session, subject, "evaluations.create", row.id, name=f"{model.name}@{number} {row.name}",
            project_id=project.id, after=row.model_dump(),
        )  # fmt: skip
        return row, view(model, version, row)


async def page(
    plane: Plane, project_ref: str, model_ref: str, number: int, asked: PageQuery
) -> tuple[list[EvaluationView], str]:
    """One page of a version's results, newest first."""
    async with reading(plane.database) as session:
        _project, model = await model_or_404(session, plane, project_ref, model_ref)
        version = await version_or_404(session, model, number)
        rows, token = await page_of(
            session, evaluations_of(version.id), asked, FIELDS, plane.secrets.page_key,
            default_order="id desc", scope=f"evaluations {version.id}",
        )  # fmt: skip
    return [view(model, version, row) for row in rows], token


async def values(plane: Plane, project_ref: str, model_ref: str, number: int) -> dict[str, float]:
    """The value that counts of each metric of a version; raises NotFound."""
    async with reading(plane.database) as session:
        _project, model = await model_or_404(session, plane, project_ref, model_ref)
        version = await version_or_404(session, model, number)
        return {name: row.value for name, row in (await newest_evaluations(session, version.id)).items()}
