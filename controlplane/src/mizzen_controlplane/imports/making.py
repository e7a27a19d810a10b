"""How a version is made of fetched files: announced, its bytes put where uploads gather theirs, finalized."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any

from mizzen_crds.signing import digest_of
from mizzen_crds.v1alpha1.model_deployment.source import ModelFormat
from pydantic import ValidationError

from mizzen_controlplane.imports.origin import Listing, OriginFile
from mizzen_controlplane.imports.workshop import Arrived, Workshop
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.database import reading
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Invalid
from mizzen_controlplane.models import finalization, versions
from mizzen_controlplane.models.completion import gathering_of
from mizzen_controlplane.models.models import ModelVersion, VersionFile
from mizzen_controlplane.models.records.schemas import Lineage, Origin
from mizzen_controlplane.models.repository import files_of, version_by_id
from mizzen_controlplane.models.schemas import MAX_FILES, AnnouncedFile, VersionCreate, VersionDetail
from mizzen_controlplane.operations.models import Operation
from mizzen_controlplane.operations.work import TryLaterError

_FORMATS = {
    ".onnx": ModelFormat.ONNX, ".safetensors": ModelFormat.SAFETENSORS, ".gguf": ModelFormat.GGUF,
    ".pt": ModelFormat.TORCH_SCRIPT,
}  # fmt: skip


def require_fit(listing: Listing) -> None:
    """Raise Invalid for names that no version may have, and for none or too many of them."""
    if not 1 <= len(listing.files) <= MAX_FILES:
        raise Invalid(
            f"{len(listing.files)} files are to be fetched; a version has 1 to {MAX_FILES}. Choose with `files`.",
            code="number_of_files",
        )
    _announced({file: Arrived(0, "0" * 64) for file in listing.files})


def format_of(named: str | None, listing: Listing) -> ModelFormat:
    """The format that was named, or that the names of the files tell; raises Invalid."""
    if named:
        return ModelFormat(named)
    paths = [PurePosixPath(file.path) for file in listing.files]
    if any(path.name == "config.pbtxt" for path in paths):
        return ModelFormat.TRITON_REPOSITORY
    told = next((found for path in paths if (found := _FORMATS.get(path.suffix))), None)
    if told is None:
        raise Invalid(
            f"The names of the files, such as {listing.files[0].path!r}, do not tell their format. Name it: `format`.",
            code="format_unknown",
        )
    return told


def version_id_of(operation: Operation) -> str:
    """Of the version that an operation makes: however often it is begun, it makes one."""
    return f"mv_{operation.id.partition('_')[2]}"


async def make(
    plane: Plane, operation: Operation, listing: Listing, arrived: Mapping[OriginFile, Arrived], workshop: Workshop
) -> VersionDetail:
    """The finalized version; goes on where an earlier attempt stopped. Raises Problem."""
    subject = Subject(operation.created_by, frozenset())
    project, model = operation.project_id, str(operation.arguments["model"])
    async with reading(plane.database) as session:
        version = await version_by_id(session, version_id_of(operation))
    if version is None:
        body = _announcement(operation.arguments, listing, arrived)
        version, _ = await versions.create(plane, subject, project, model, body, made_as=version_id_of(operation))
    async with reading(plane.database) as session:
        files = list(await files_of(session, version.id))
    await asyncio.to_thread(_gather, plane, version, files, arrived, workshop)
    _, done = await finalization.finalize(plane, subject, project, model, version.number, None)
    return done


def _announcement(
    arguments: Mapping[str, Any], listing: Listing, arrived: Mapping[OriginFile, Arrived]
) -> VersionCreate:
    files = _announced(arrived)
    revision = listing.revision or digest_of(files)
    return VersionCreate(
        format=format_of(arguments["format"], listing), files=files, metadata=arguments["metadata"],
        labels=arguments["labels"], tags=arguments["tags"],
        lineage=Lineage(origin=Origin(source=arguments["source"], revision=revision)),
    )  # fmt: skip


def _announced(arrived: Mapping[OriginFile, Arrived]) -> list[AnnouncedFile]:
    made = []
    for file, what in arrived.items():
        try:
            made.append(AnnouncedFile(path=file.path, size=what.size, sha256=what.sha256))
        except ValidationError as error:
            why = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise Invalid(f"The file {file.path[:200]!r} cannot be taken: {why}.", code="file_name_refused") from error
    versions.refuse_clashes(sorted(made, key=lambda file: file.path))
    return made


def _gather(
    plane: Plane, version: ModelVersion, files: list[VersionFile], arrived: Mapping[OriginFile, Arrived],
    workshop: Workshop,
) -> None:  # fmt: skip
    """Move what is not content yet to where its upload would have left it. Blocks."""
    parts = {file.path: workshop.part(file) for file in arrived}
    skipped = {file.path for file in arrived if workshop.arrived(file) is None}
    for file in files:
        target = gathering_of(plane, version, file).part
        if not file.received and parts[file.path].exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            parts[file.path].replace(target)
        if not file.received and file.path in skipped:
            raise TryLaterError(f"The content of {file.path} was here and is no more: it is fetched now.", timedelta())
