"""The rules of signatures: one is kept where a key that the project trusts made it, of this very version."""

import base64

from mizzen_crds.signing import statement_of
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.audit.record import record
from mizzen_controlplane.identity.models import Project
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.database import flush_or, reading, unit_of_work
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.pages import PageQuery, page_of
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Conflict, invalid_field
from mizzen_controlplane.kit.wire import resource_fields
from mizzen_controlplane.models.models import Model, ModelVersion
from mizzen_controlplane.models.scope import model_or_404, version_or_404
from mizzen_controlplane.models.signing import repository
from mizzen_controlplane.models.signing.models import SigningKey, VersionSignature
from mizzen_controlplane.models.signing.public_key import SIGNATURE_BYTES, made_by, signature_of
from mizzen_controlplane.models.signing.schemas import VersionSignatureCreate, VersionSignatureView

FIELDS = {"id": VersionSignature.id, "name": VersionSignature.name, "created_at": VersionSignature.created_at}


def view(version: ModelVersion, key: SigningKey, signature: VersionSignature) -> VersionSignatureView:
    """On the wire."""
    return VersionSignatureView.model_validate(
        {
            **resource_fields(signature),
            "version": version.number,
            "digest": version.digest,
            "fingerprint": key.fingerprint,
            "signature": base64.b64encode(bytes.fromhex(signature.signature)).decode(),
            "valid": key.revoked_at is None,
            "revoked_at": key.revoked_at,
            "created_by": signature.created_by,
        }
    )


async def add(
    plane: Plane, subject: Subject, project_ref: str, model_ref: str, number: int, body: VersionSignatureCreate
) -> tuple[VersionSignature, VersionSignatureView, bool]:
    """Keep a signature that a trusted key made; the last value says whether it is new. Raises Invalid for any other."""
    async with unit_of_work(plane.database) as session:
        project, model = await model_or_404(session, plane, project_ref, model_ref)
        version = await version_or_404(session, model, number)
        raw = signature_of(body.signature)
        if raw is None:
            raise invalid_field("/signature", f"This is not base64 of the {SIGNATURE_BYTES} bytes of a signature.")
        key = await _signer(session, project, model, version, raw, body.key)
        known = await repository.find_signature(session, version.id, key.id)
        if known is not None:
            return known, view(version, key, known), False
        made = VersionSignature(
            id=new_id("vsg"), name=key.name, version_id=version.id, key_id=key.id, signature=raw.hex(),
            created_by=subject.name,
        )  # fmt: skip
        session.add(made)
        await flush_or(session, Conflict(f"{key.name!r} has signed it just now; nothing needs to be done."))
        record(
            session, subject, "versions.sign", version.id, name=f"{model.name}@{number}", project_id=project.id,
            after={"key": key.name, "fingerprint": key.fingerprint, "digest": version.digest},
        )  # fmt: skip
        return made, view(version, key, made), True


async def _signer(
    session: AsyncSession, project: Project, model: Model, version: ModelVersion, raw: bytes, ref: str | None
) -> SigningKey:
    """The trusted key that made the signature; raises Invalid or Conflict."""
    keys = await repository.trusted_keys(session, project.id)
    if not keys:
        raise Conflict(
            f"The project {project.name!r} trusts no signing key. Have the public key added, by whoever has "
            "signing-keys:write, then post the signature again.",
            code="no_signing_key",
        )
    asked = [key for key in keys if ref is None or ref in (key.id, key.name)]
    if not asked:
        listed = ", ".join(sorted(key.name for key in keys)[:10])
        raise invalid_field("/key", f"{ref!r} is no key that the project trusts. It trusts {listed}.")
    statement = statement_of(model.name, version.format, version.digest)
    for key in asked:
        if made_by(key.public_key, raw, statement):
            return key
    whose = f"The key {ref!r} did not make" if ref is not None else "No key that the project trusts has made"
    raise invalid_field(
        "/signature",
        f"{whose} this signature of version {version.number}. Sign these bytes with the private half of a trusted key, "
        f"ed25519 without hashing them first: {statement.decode()!r}.",
        code="signature_invalid",
    )


async def page(
    plane: Plane, project_ref: str, model_ref: str, number: int, asked: PageQuery
) -> tuple[list[VersionSignatureView], str]:
    """One page of a version's signatures, oldest first, those of revoked keys included."""
    async with reading(plane.database) as session:
        _project, model = await model_or_404(session, plane, project_ref, model_ref)
        version = await version_or_404(session, model, number)
        rows, token = await page_of(
            session, repository.signatures_of(version.id), asked, FIELDS, plane.secrets.page_key,
            default_order="id asc", scope=f"signatures {version.id}",
        )  # fmt: skip
        keys = await repository.keys_by_id(session, {row.key_id for row in rows})
    return [view(version, keys[row.key_id], row) for row in rows], token
