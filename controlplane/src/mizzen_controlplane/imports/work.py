"""The work of an import, from its beginning or from wherever an earlier attempt stopped."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from mizzen_controlplane.egress.proxy import EgressProxy, WayOut
from mizzen_controlplane.egress.start import egress_open
from mizzen_controlplane.imports.fetching import Fetching, had_already
from mizzen_controlplane.imports.making import format_of, make, require_fit, version_id_of
from mizzen_controlplane.imports.opening import origin_of
from mizzen_controlplane.imports.origin import Listing, Origin
from mizzen_controlplane.imports.service import KIND
from mizzen_controlplane.imports.workshop import Workshop
from mizzen_controlplane.kit.database import unit_of_work
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Invalid, TooLarge
from mizzen_controlplane.models.blob_folder import disk_full, forget_uploads, free_bytes
from mizzen_controlplane.models.repository import version_by_id
from mizzen_controlplane.models.schemas import VersionState
from mizzen_controlplane.models.versions import content_here
from mizzen_controlplane.operations.models import Operation
from mizzen_controlplane.operations.running import running
from mizzen_controlplane.operations.work import Report, Work


@asynccontextmanager
async def imports_done(plane: Plane) -> AsyncIterator[None]:
    """Imports are worked on, through a proxy of their own, while the control plane runs."""
    async with egress_open(plane.settings) as proxy, running(works(proxy))(plane):
        yield


def works(proxy: EgressProxy) -> dict[str, Work]:
    """The kinds of work that imports are."""
    return {KIND: Work(partial(run, proxy), tidy)}


def workshop_of(plane: Plane, operation: Operation) -> Workshop:
    """Its folder, which replicas share where they share the data folder."""
    return Workshop(plane.settings.data_dir / "imports" / operation.id)


async def run(proxy: EgressProxy, plane: Plane, operation: Operation, report: Report) -> dict[str, Any]:
    """Fetch, then make the version; raises Problem, and TryLaterError."""
    report.done_bytes = 0
    workshop = workshop_of(plane, operation)
    with proxy.way_out(operation.id, most_bytes=2 * plane.settings.import_max_bytes) as way:
        return await _through(way, plane, operation, report, workshop)


async def _through(
    way: WayOut, plane: Plane, operation: Operation, report: Report, workshop: Workshop
) -> dict[str, Any]:
    async with origin_of(plane, operation, way) as origin:
        report.stage = "listing"
        listing = await _listing(origin, operation, workshop)
        digests = sorted({file.sha256 for file in listing.files if file.vouched})
        known = frozenset(await content_here(plane, operation.project_id, operation.arguments["model"], digests))
        sizes = [file.size for file in listing.files]
        if None not in sizes:
            report.total_bytes = sum(size or 0 for size in sizes)
            had = sum(file.size or 0 for file in listing.files if had_already(file, known))
            _require_room(plane, report.total_bytes, had, workshop)
        fetching = Fetching(origin, workshop, report, plane.settings.import_max_bytes, known)
        arrived = {}
        for file in listing.files:
            report.stage = f"fetching {file.path}"[:200]
            arrived[file] = await fetching.fetch(file)
    report.total_bytes, report.stage = report.done_bytes, "checking"
    version = await make(plane, operation, listing, arrived, workshop)
    if version.state == VersionState.FAILED:
        raise Invalid(
            f"Version {version.version} was made and FAILED: {version.reason}", code="imported_version_failed"
        )
    return {
        "model": version.model, "version": version.version, "state": version.state, "digest": version.digest,
        "size_bytes": version.size_bytes,
    }  # fmt: skip


async def _listing(origin: Origin, operation: Operation, workshop: Workshop) -> Listing:
    """What the origin had at the first attempt, with the digests that the caller wants."""
    known = await asyncio.to_thread(workshop.listing)
    if known is not None:
        return known
    wanted: dict[str, str] = operation.arguments["sha256"]
    told = await origin.listing()
    listing = replace(told, files=tuple(
        replace(
            file, sha256=wanted.get(file.path, file.sha256),
            vouched=bool(file.sha256) and wanted.get(file.path, file.sha256) == file.sha256,
        )
        for file in told.files
    ))  # fmt: skip
    require_fit(listing)
    format_of(operation.arguments["format"], listing)
    if missing := sorted(set(wanted) - {file.path for file in listing.files}):
        raise Invalid(f"sha256 names {missing[0]!r}, which is not among the files.", code="file_not_found")
    await asyncio.to_thread(workshop.keep_listing, listing)
    return listing


def _require_room(plane: Plane, size: int, had: int, workshop: Workshop) -> None:
    if size > plane.settings.import_max_bytes:
        raise TooLarge(
            f"The files have {size} bytes together, and {plane.settings.import_max_bytes} are the most that is "
            "imported (MIZZEN_IMPORT_MAX_BYTES). Choose with `files`.",
            code="import_too_large",
        )
    here = sum(path.stat().st_size for path in workshop.folder.glob("*.part"))
    if size - had - here > free_bytes(plane.settings.data_dir):
        raise disk_full()


async def tidy(plane: Plane, operation: Operation) -> None:
    """Remove what attempts left: the folder; a version that is not finished FAILED, and its bytes go."""
    await asyncio.to_thread(workshop_of(plane, operation).drop)
    async with unit_of_work(plane.database) as session:
        version = await version_by_id(session, version_id_of(operation), lock=True)
        if version is None or version.state != VersionState.PENDING:
            return
        version.state, version.reason = VersionState.FAILED, "Its import ended before it was whole. Import it again."
        version.touch()
    await asyncio.to_thread(forget_uploads, plane.settings.data_dir, version.id)
