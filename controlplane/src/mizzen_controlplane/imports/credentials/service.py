"""Rules of credentials for imports: sealed at once, bound to one host for good, told to nobody."""

from typing import Any, Final

import orjson
from pydantic import SecretStr
from sqlmodel.ext.asyncio.session import AsyncSession
from yarl import URL

from mizzen_controlplane.audit.record import record
from mizzen_controlplane.egress.policy import RefusedError
from mizzen_controlplane.egress.start import policy_in
from mizzen_controlplane.identity.scope import project_or_404
from mizzen_controlplane.imports.credentials import repository
from mizzen_controlplane.imports.credentials.models import ImportCredential
from mizzen_controlplane.imports.credentials.place import place_of
from mizzen_controlplane.imports.credentials.schemas import (
    CredentialKind,
    ImportCredentialCreate,
    ImportCredentialPatch,
)
from mizzen_controlplane.imports.credentials.showing import PURPOSE, credential_or_404, sealed
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.database import flush_or, reading, unit_of_work
from mizzen_controlplane.kit.etag import require_match
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.pages import PageQuery, page_of
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Conflict, invalid_field

MOST: Final = 50
"""Credentials of one project."""


async def create(plane: Plane, subject: Subject, project_ref: str, body: ImportCredentialCreate) -> ImportCredential:
    """Seal and store one; raises Invalid for a host that is never asked, Conflict where the name is taken."""
    host, username, secret = _host(plane, body.host), _username(body.kind, body.username), _printable(body.secret)
    row = ImportCredential(id=new_id("icr"), project_id="", host=host, kind=body.kind, sealed=b"",
                           **body.model_dump(include={"name", "labels"}))  # fmt: skip
    row.sealed = await sealed(plane, row.id, username, secret)
    async with unit_of_work(plane.database) as session:
        project = await project_or_404(session, plane, project_ref, lock=True)
        if await repository.count_credentials(session, project.id) >= MOST:
            raise Conflict(
                f"The project has {MOST} import credentials, which is the most: delete one.",
                code="too_many_credentials",
            )
        row.project_id = project.id
        session.add(row)
        taken = f"There is an import credential {body.name!r} already: choose another name, or change that one."
        await flush_or(session, Conflict(taken, code="name_taken"))
        _record(session, subject, "import-credentials.create", row, after=_audited(row))
        return row


async def page(plane: Plane, project_ref: str, asked: PageQuery) -> tuple[list[ImportCredential], str]:
    """One page of a project's."""
    async with reading(plane.database) as session:
        project = await project_or_404(session, plane, project_ref)
        return await page_of(
            session, repository.credentials_of(project.id), asked, repository.PAGE_FIELDS, plane.secrets.page_key,
            scope=f"import-credentials {project.id}",
        )  # fmt: skip


async def get(plane: Plane, project_ref: str, ref: str) -> ImportCredential:
    """One; raises NotFound."""
    async with reading(plane.database) as session:
        return await credential_or_404(session, (await project_or_404(session, plane, project_ref)).id, ref)


async def change(
    plane: Plane, subject: Subject, project_ref: str, ref: str, body: ImportCredentialPatch, if_match: str | None
) -> ImportCredential:
    """Label it, or replace its secret; imports under way show the new one from their next attempt on."""
    async with unit_of_work(plane.database) as session:
        project = await project_or_404(session, plane, project_ref)
        row = await credential_or_404(session, project.id, ref, lock=True)
        require_match(if_match, row)
        before = _audited(row)
        if "labels" in body.model_fields_set:
            row.labels = body.labels
        if body.secret is not None:
            row.sealed = await _resealed(plane, row, body.username, body.secret)
        elif body.username is not None:
            raise invalid_field("/secret", "A new username goes together with its secret: give both.")
        row.touch()
        replaced = {"secret_replaced": body.secret is not None}
        _record(session, subject, "import-credentials.update", row, before=before, after=_audited(row) | replaced)
        return row


async def delete(plane: Plane, subject: Subject, project_ref: str, ref: str, if_match: str | None) -> None:
    """Remove it; an import that has yet to show it fails."""
    async with unit_of_work(plane.database) as session:
        project = await project_or_404(session, plane, project_ref)
        row = await credential_or_404(session, project.id, ref, lock=True)
        require_match(if_match, row)
        await session.delete(row)
        _record(session, subject, "import-credentials.delete", row, before=_audited(row))


async def _resealed(plane: Plane, row: ImportCredential, username: str | None, secret: SecretStr) -> bytes:
    kind, text = CredentialKind(row.kind), _printable(secret)
    if kind is not CredentialKind.BEARER and username is None:
        username = orjson.loads(await plane.envelopes.open(PURPOSE, row.id, row.sealed))["username"]
    return await sealed(plane, row.id, _username(kind, username), text)


def _host(plane: Plane, text: str) -> str:
    """As `place_of` writes it; raises Invalid for one that the way out never reaches."""
    url = text.lower() if "://" in text else f"https://{text.lower()}"
    place = place_of(url)
    if not place:
        raise invalid_field("/host", f"host: {text!r} is no host: write host, host:port, or http://host:port.")
    read = URL(url)
    policy = policy_in(plane.settings)
    try:
        policy.check_target(policy.host(read.raw_host or ""), read.port or 0, tls=read.scheme == "https")
    except RefusedError as refused:
        raise invalid_field("/host", f"host: {refused.detail}", code=refused.code) from refused
    return place


def _username(kind: CredentialKind, given: str | None) -> str:
    if kind is CredentialKind.BEARER and given is not None:
        raise invalid_field(
            "/username", "A bearer token has no username: leave it out, or name the kind: `basic`, `access_key`."
        )
    if kind is not CredentialKind.BEARER and given is None:
        raise invalid_field("/username", f"A credential of kind `{kind}` needs a username.")
    return given or ""


def _printable(secret: SecretStr) -> str:
    text = secret.get_secret_value()
    if not text.isascii() or not text.isprintable() or text != text.strip():
        raise invalid_field(
            "/secret", "The secret has a line break, a space at an end, or a character that is not printable ASCII."
        )
    return text


def _record(session: AsyncSession, subject: Subject, action: str, row: ImportCredential, **told: Any) -> None:
    record(session, subject, action, row.id, name=row.name, project_id=row.project_id, **told)


def _audited(row: ImportCredential) -> dict[str, object]:
    return row.model_dump(include={"host", "kind", "labels"})
