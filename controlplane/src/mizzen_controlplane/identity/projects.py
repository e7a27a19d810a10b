"""The rules of projects."""

from mizzen_controlplane.audit.record import record
from mizzen_controlplane.identity.models import Project
from mizzen_controlplane.identity.repository import find_project, projects_of
from mizzen_controlplane.identity.schemas import ProjectCreate, ProjectPatch, ProjectView
from mizzen_controlplane.identity.scope import project_or_404
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.changes import next_access_version
from mizzen_controlplane.kit.database import flush_or, reading, unit_of_work
from mizzen_controlplane.kit.etag import require_match
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.pages import PageQuery, page_of
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Conflict
from mizzen_controlplane.kit.wire import resource_fields
from mizzen_controlplane.limits.ownership import require_made_here

FIELDS = {"id": Project.id, "name": Project.name, "created_at": Project.created_at, "updated_at": Project.updated_at}


def view(project: Project) -> ProjectView:
    """On the wire."""
    return ProjectView.model_validate(
        {
            **resource_fields(project),
            "namespace": project.namespace,
            "allow_code": project.allow_code,
            "archived_at": project.archived_at,
        }
    )


async def create(plane: Plane, subject: Subject, body: ProjectCreate) -> Project:
    """Make a project; raises Conflict where the name is taken."""
    made = Project(
        id=new_id("prj"),
        name=body.name,
        namespace=body.name,
        organization_id=plane.organization_id,
        allow_code=body.allow_code,
        labels=body.labels,
    )
    async with unit_of_work(plane.database) as session:
        session.add(made)
        taken = (
            f"A project named {body.name!r} exists already, perhaps an archived one. Choose another name, use that "
            "one, or restore it."
        )
        await flush_or(session, Conflict(taken, code="name_taken"))
        await next_access_version(session)
        record(
            session, subject, "projects.create", made.id, name=made.name, project_id=made.id, after=made.model_dump()
        )
    return made


async def change(plane: Plane, subject: Subject, ref: str, body: ProjectPatch, if_match: str | None) -> Project:
    """Change settings or labels; raises Conflict for a setting that the project's object in the cluster owns."""
    async with unit_of_work(plane.database) as session:
        project = await project_or_404(session, plane, ref, lock=True)
        require_match(if_match, project)
        before = project.model_dump()
        if body.allow_code not in (None, project.allow_code):
            await require_made_here(session, project.id, f"Whether project {project.name} runs code", "modelCode")
            project.allow_code = not project.allow_code
        if body.labels is not None:
            project.labels = body.labels
        if project.model_dump() != before:
            project.touch()
            await next_access_version(session)
            record(
                session, subject, "projects.change", project.id, name=project.name, project_id=project.id,
                before=before, after=project.model_dump(),
            )  # fmt: skip
    return project


async def follow(plane: Plane, subject: Subject, name: str, namespace: str, *, allow_code: bool) -> None:
    """Make the project as its owner elsewhere says, or bring it back; raises Conflict for a namespace of another."""
    async with unit_of_work(plane.database) as session:
        found = await find_project(session, plane.organization_id, name, lock=True)
        before = found.model_dump() if found is not None else None
        project = found or Project(
            id=new_id("prj"), name=name, namespace=namespace, organization_id=plane.organization_id
        )
        project.namespace, project.allow_code, project.archived_at = namespace, allow_code, None
        if project.model_dump() == before:
            return
        project.touch()
        session.add(project)
        taken = f"The namespace {namespace!r} is another project's already, so project {name!r} does not get it."
        await flush_or(session, Conflict(taken, code="namespace_taken"))
        await next_access_version(session)
        record(
            session, subject, "projects.change" if before else "projects.create", project.id, name=name,
            project_id=project.id, before=before, after=project.model_dump(),
        )  # fmt: skip


async def page(plane: Plane, subject: Subject, asked: PageQuery, *, archived: bool) -> tuple[list[Project], str]:
    """One page of the projects that the subject reaches: those that are archived, or those that are not."""
    async with reading(plane.database) as session:
        statement = projects_of(plane.organization_id, subject.reach, archived=archived)
        return await page_of(session, statement, asked, FIELDS, plane.secrets.page_key, scope=f"projects {archived}")


async def get(plane: Plane, ref: str) -> Project:
    """One project; raises NotFound."""
    async with reading(plane.database) as session:
        return await project_or_404(session, plane, ref)
