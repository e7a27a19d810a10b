"""The rules of trusted keys: a public key counts from when it is added until it is revoked, which is for ever."""

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.audit.record import record
from mizzen_controlplane.identity.models import Project
from mizzen_controlplane.identity.scope import project_or_404
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import flush_or, reading, unit_of_work
from mizzen_controlplane.kit.etag import require_match
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.pages import PageQuery, page_of
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Conflict, NotFound, invalid_field
from mizzen_controlplane.kit.wire import resource_fields
from mizzen_controlplane.models.scanning.repository import find_policy
from mizzen_controlplane.models.signing import repository
from mizzen_controlplane.models.signing.in_use import leaning_on
from mizzen_controlplane.models.signing.models import SigningKey
from mizzen_controlplane.models.signing.public_key import NoPublicKeyError, fingerprint_of, pem_of, public_key_of
from mizzen_controlplane.models.signing.schemas import SigningKeyCreate, SigningKeyRevoked, SigningKeyView

MOST = 100
"""Trusted keys of a project: a signature that does not say whose it is is tried with each."""
FIELDS = {"id": SigningKey.id, "name": SigningKey.name, "created_at": SigningKey.created_at}
_AUDITED = {"public_key", "fingerprint", "revoked_at", "labels"}


def _fields(project: Project, key: SigningKey) -> dict[str, object]:
    own = key.model_dump(include={"fingerprint", "revoked_at", "created_by"})
    return {**resource_fields(key), **own, "project": project.name, "public_key": pem_of(key.public_key)}


def view(project: Project, key: SigningKey) -> SigningKeyView:
    """On the wire."""
    return SigningKeyView.model_validate(_fields(project, key))


async def create(
    plane: Plane, subject: Subject, project_ref: str, body: SigningKeyCreate
) -> tuple[SigningKey, SigningKeyView]:
    """Trust a public key; raises Invalid for what is none, Conflict for one that is known, revoked ones included."""
    try:
        public = public_key_of(body.public_key)
    except NoPublicKeyError as error:
        raise invalid_field("/public_key", f"{error}.") from None
    async with unit_of_work(plane.database) as session:
        project = await project_or_404(session, plane, project_ref, lock=True)
        fingerprint = fingerprint_of(public)
        await _refuse_known(session, project, fingerprint)
        if await repository.count_trusted(session, project.id) >= MOST:
            raise Conflict(
                f"The project trusts {MOST} keys, which is the most. Revoke one.", code="too_many_signing_keys"
            )
        key = SigningKey(
            id=new_id("sgk"), name=body.name, project_id=project.id, public_key=public.public_bytes_raw().hex(),
            fingerprint=fingerprint, labels=body.labels, created_by=subject.name,
        )  # fmt: skip
        session.add(key)
        taken = f"The project has a signing key named {body.name!r} already, perhaps a revoked one. Choose another name"
        await flush_or(session, Conflict(f"{taken}.", code="name_taken"))
        record(
            session, subject, "signing-keys.create", key.id, name=key.name, project_id=project.id,
            after=key.model_dump(include=_AUDITED),
        )  # fmt: skip
        return key, view(project, key)


async def _refuse_known(session: AsyncSession, project: Project, fingerprint: str) -> None:
    known = await repository.key_with(session, project.id, fingerprint)
    if known is None:
        return
    if known.revoked_at is not None:
        raise Conflict(
            f"This key was revoked, as {known.name!r}, which is for ever. Make another, and sign anew.",
            code="signing_key_revoked",
        )
    raise Conflict(f"The project trusts this key already, as {known.name!r}.", code="signing_key_known")


async def get(plane: Plane, project_ref: str, ref: str) -> tuple[SigningKey, SigningKeyView]:
    """One key; raises NotFound."""
    async with reading(plane.database) as session:
        project = await project_or_404(session, plane, project_ref)
        key = await key_or_404(session, project, ref)
    return key, view(project, key)


async def page(plane: Plane, project_ref: str, asked: PageQuery) -> tuple[list[SigningKeyView], str]:
    """One page of a project's keys, oldest first, revoked ones included."""
    async with reading(plane.database) as session:
        project = await project_or_404(session, plane, project_ref)
        rows, token = await page_of(
            session, repository.keys_of(project.id), asked, FIELDS, plane.secrets.page_key,
            default_order="id asc", scope=f"signing-keys {project.id}",
        )  # fmt: skip
    return [view(project, row) for row in rows], token


async def revoke(
    plane: Plane, subject: Subject, project_ref: str, ref: str, if_match: str | None, *, dry_run: bool
) -> tuple[SigningKey, SigningKeyRevoked]:
    """Trust the key no more, and say which versions in use lean on it; once more changes nothing."""
    async with unit_of_work(plane.database) as session:
        project = await project_or_404(session, plane, project_ref)
        key = await key_or_404(session, project, ref, lock=True)
        require_match(if_match, key)
        policy = await find_policy(session, project.id)
        leaning = await leaning_on(session, plane, project, key.id)
        if key.revoked_at is None and not dry_run:
            before = key.model_dump(include=_AUDITED)
            key.revoked_at = utc_now()
            key.touch()
            record(
                session, subject, "signing-keys.revoke", key.id, name=key.name, project_id=project.id,
                before=before, after=key.model_dump(include=_AUDITED),
            )  # fmt: skip
        refused = policy is not None and policy.require_signature
        return key, SigningKeyRevoked.model_validate(
            {**_fields(project, key), "leaning": leaning, "refused": refused}
        )  # fmt: skip


async def key_or_404(session: AsyncSession, project: Project, ref: str, *, lock: bool = False) -> SigningKey:
    """The key; raises NotFound."""
    key = await repository.find_key(session, project.id, ref, lock=lock)
    if key is None:
        raise NotFound(f"The project {project.name!r} has no signing key {ref!r}.", code="signing_key_not_found")
    return key
