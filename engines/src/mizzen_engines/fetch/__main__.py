"""The fetch step, an init container: `python -m mizzen_engines.fetch`. Exit codes: ExitCode in failure.py."""

import asyncio
import contextlib
import errno
import itertools
import os
import ssl
import sys
from collections.abc import AsyncIterator, Mapping

import aiohttp
from yarl import URL

from mizzen_engines.failure import EngineStartError, ExitCode, required, tell
from mizzen_engines.fetch.addresses import CheckedResolver, refused
from mizzen_engines.fetch.fetch import ArtifactFetch, MountedArtifact
from mizzen_engines.fetch.folder import ModelFolder
from mizzen_engines.fetch.http_file import HttpReader
from mizzen_engines.fetch.registry import RegistrySource
from mizzen_engines.fetch.request import FetchRequest, from_environment
from mizzen_engines.fetch.source import Source
from mizzen_engines.fetch.web import WebSource
from mizzen_engines.startup_progress import LOOK_SECONDS, ProgressReport

LOOKS_A_NOTE = 4
"""The volume may be a network's: a note each second is enough."""


@contextlib.asynccontextmanager
async def open_source(request: FetchRequest) -> AsyncIterator[Source]:
    """The place that the URI names."""
    if request.scheme in {"s3", "gs", "az"}:
        # Imported where it is used: most fetches come from the registry, and a start should not wait for the others.
        from mizzen_engines.fetch.object_store import ObjectStoreSource, open_store

        yield ObjectStoreSource(open_store(request.uri, request.credential.store_settings()))
        return
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=15, sock_read=request.stall_seconds)
    if request.scheme == "mizzen":
        registry = URL(required({"MIZZEN_REGISTRY_URL": request.registry_url}, "MIZZEN_REGISTRY_URL"))
        trusted = aiohttp.TCPConnector(ssl=_trust(request.registry_ca))
        async with aiohttp.ClientSession(timeout=timeout, connector=trusted) as session:
            reader = HttpReader(session, lambda url: _only(registry, url), lambda _: _bearer(request.registry_token))
            token = _bearer(request.registry_token)
            # The registry's token goes to the registry alone, wherever the registry sends the fetch for a file.
            files = HttpReader(session, _any, lambda url: token if url.origin() == registry.origin() else {})
            yield RegistrySource(reader, str(registry), request.reference, files)
        return
    connector = aiohttp.TCPConnector(resolver=CheckedResolver(request.addresses))
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        reader = HttpReader(session, request.addresses.check_url, request.credential.headers_for)
        if request.scheme == "https":
            yield WebSource(reader, URL(request.uri))
        elif request.scheme == "hf":
            from mizzen_engines.fetch.hub import HubSource

            yield HubSource(reader, request.reference, request.credential.values.get("token", ""))
        else:
            raise refused(
                f"weights cannot be fetched from {request.scheme}://; use mizzen, https, s3, gs, az, hf or pvc."
            )


async def fetch(request: FetchRequest, report: ProgressReport) -> None:
    """Fetch unless the folder is complete. Raises EngineStartError where the artifact cannot be had whole."""
    if request.scheme == "pvc":
        mounted = MountedArtifact(request.folder)
        with report.watched(mounted.progress):
            mounted.verify(request.digest)
        report.ended(*mounted.progress())
        return
    folder = ModelFolder(request.folder)
    with contextlib.ExitStack() as until_the_end:
        with report.watched(folder.told_by_holder):
            until_the_end.enter_context(folder.locked())
        complete = folder.complete_digest(request.uri)
        if complete and request.digest in {"", complete}:
            sys.stderr.write(f"fetch: {complete} is in place already\n")
            report.ended(0, 0)
            return
        async with open_source(request) as source:
            work = ArtifactFetch(source, request.uri, folder)
            telling = asyncio.create_task(_tell_progress(work, report, folder))
            try:
                await work.run(request.digest)
            finally:
                telling.cancel()
            report.ended(work.done_bytes, work.total_bytes)


async def _tell_progress(work: ArtifactFetch, report: ProgressReport, folder: ModelFolder) -> None:
    for look in itertools.count(1):
        await asyncio.sleep(LOOK_SECONDS)
        done, total = work.done_bytes, work.total_bytes
        await asyncio.to_thread(report.bytes_so_far, done, total)
        if look % LOOKS_A_NOTE == 0:
            await asyncio.to_thread(folder.tell_waiting, done, total)


def _only(registry: URL, url: URL) -> None:
    if url.origin() != registry.origin():
        raise refused(f"the registry at {registry.host} sent the fetch to {url.host}: its token stays here.")


def _any(_url: URL) -> None:
    """The registry's word is enough: it also says which digest a file has."""


def _trust(authority: str) -> ssl.SSLContext | bool:
    if not authority:
        return True
    try:
        return ssl.create_default_context(cadata=authority)
    except ssl.SSLError as error:
        raise EngineStartError(
            ExitCode.ENVIRONMENT, f"MIZZEN_REGISTRY_CA holds no certificate as PEM: {error}"
        ) from error


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"} if token else {}


def run(environment: Mapping[str, str]) -> int:
    """Fetch, or say in one sentence why not; returns the exit code."""
    try:
        asyncio.run(fetch(from_environment(environment), ProgressReport(environment, "fetch")))
    except (EngineStartError, OSError, ExceptionGroup) as failure:
        return tell(_explained(failure), environment)
    return 0


def _explained(failure: Exception) -> EngineStartError:
    """The first cause. Files are fetched side by side, so a failure may come as a group."""
    while isinstance(failure, ExceptionGroup):
        failure = failure.exceptions[0]
    if isinstance(failure, EngineStartError):
        return failure
    if isinstance(failure, OSError):
        code = ExitCode.NO_SPACE if failure.errno in {errno.ENOSPC, errno.EDQUOT} else ExitCode.ENVIRONMENT
        return EngineStartError(code, f"the model's folder cannot be written: {failure}")
    raise failure


if __name__ == "__main__":
    sys.exit(run(os.environ))
