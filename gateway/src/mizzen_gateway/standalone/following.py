"""How does a change of gateway.yaml reach callers? It is read when it changes; one that is wrong changes nothing."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from mizzen_gateway.discovery.access_building import index_snapshot
from mizzen_gateway.discovery.access_index import AccessState
from mizzen_gateway.discovery.known_objects import KnownObjects, identify
from mizzen_gateway.engine.pool import EnginePool
from mizzen_gateway.errors import CannotStartError
from mizzen_gateway.limits.choice import PROCESS
from mizzen_gateway.settings import Settings
from mizzen_gateway.standalone.access import budgets_by_id, snapshot_of
from mizzen_gateway.standalone.config import GatewayFile
from mizzen_gateway.standalone.ledger import LocalLedger
from mizzen_gateway.standalone.objects import dials_of, objects_of
from mizzen_gateway.standalone.parts import Secret
from mizzen_gateway.standalone.reading import FileRefusedError, read_file
from mizzen_gateway.standalone.settings import SAID_BY, SPOOL, settings_from

LOOK_SECONDS: Final = 1.0
PRUNE_SECONDS: Final = 3600.0
Stamps = tuple[tuple[int, int, int] | None, ...]

log = structlog.get_logger(__name__)


class FileFeed:
    """Keeps access, objects and upstreams as the file has them."""

    def __init__(
        self, settings: Settings, state: AccessState, known: KnownObjects, pool: EnginePool, ledger: LocalLedger
    ) -> None:
        """Takes the file up at once. Raises CannotStartError where it cannot be gone by."""
        self._path = settings.config_file or Path()
        self._settings = settings
        self._state = state
        self._known = known
        self._pool = pool
        self._ledger = ledger
        self._version = 0
        self._pruned_at = -PRUNE_SECONDS
        self._file = read_file(self._path)
        # A worker has a name and a spool of its own, which are no change of the file.
        self._began = replace(settings, name=self._file.name, spool_dir=settings.data_dir / SPOOL)
        self._stamps = self._stamps_now()
        self._take(self._file)

    async def run(self) -> None:
        """Look each second, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()
            await self._prune()

    def look(self) -> None:
        """Take the file up where it, or a secret that it names, has changed."""
        stamps = self._stamps_now()
        if stamps == self._stamps:
            if self._state.index is not None and self._state.index.version == self._version:
                self._state.confirmed_at = time.time()
            return
        self._stamps = stamps
        self.read_again()

    def read_again(self) -> None:
        """Now. Where the file cannot be gone by, all stays as it was, and the log says why."""
        try:
            file = read_file(self._path)
            settings = settings_from(file, self._path)
            self._take(file)
        except CannotStartError as error:
            self._version = -abs(self._version)  # the snapshot's age tells for how long the file has been wrong
            log.warning(
                "file not taken up; what was before goes on", file=str(self._path), mistakes=str(error).split("\n")
            )
            return
        self._file = file
        self._stamps = self._stamps_now()
        waiting = sorted(at_a_restart(self._began, settings))
        log.info("file taken up", file=str(self._path), version=self._version, at_a_restart=waiting)

    def _take(self, file: GatewayFile) -> None:
        """All of it or nothing: what can fail comes first."""
        self._refuse_budgets_of_several(file)
        folder, version = self._path.parent, abs(self._version) + 1
        index = index_snapshot(snapshot_of(file, folder, version, pepper=self._settings.pepper))
        dials = dials_of(file, folder)
        documents = objects_of(file)
        self._ledger.take_budgets(budgets_by_id(file))
        self._pool.take_dials(dials)
        for document in documents:
            self._known.put(document)
        self._known.whole({identify(document) for document in documents})
        self._state.put(index, time.time())
        self._version = version

    def _refuse_budgets_of_several(self, file: GatewayFile) -> None:
        """The file holds together, but this process may have begun by another: several would spend one budget."""
        alone = not self._settings.workers and self._settings.limits.address == PROCESS
        if not alone and any(True for _ in budgets_by_id(file)):
            raise FileRefusedError(
                f"{self._path}: budgets: this process began with listen.workers or a shared limits_store, which it"
                " keeps; start the gateway anew"
            )

    def _stamps_now(self) -> Stamps:
        return tuple(_stamp(path) for path in (self._path, *secret_files(self._file, self._path.parent)))

    async def _prune(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._pruned_at < PRUNE_SECONDS:
            return
        self._pruned_at = now
        try:
            await self._ledger.prune(datetime.now(UTC) - timedelta(days=self._file.metering.keep_days))
        except OSError as error:
            log.warning("old usage not removed", error=str(error))


def secret_files(file: GatewayFile, folder: Path) -> Iterator[Path]:
    """Files beside it that it is made of."""
    secrets: list[Secret | None] = [file.pepper, *(one.api_key for one in file.upstreams)]
    secrets += [key.key for project in file.projects for key in project.keys]
    yield from (folder / secret.file for secret in secrets if secret is not None and secret.file is not None)
    yield from (folder / one.ca_file for one in file.upstreams if one.ca_file is not None)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        fact = path.stat()
    except OSError:
        return None
    return fact.st_mtime_ns, fact.st_ino, fact.st_size


def at_a_restart(before: Settings, after: Settings) -> set[str]:
    """Fields of the file that changed and that a running process keeps as they were."""
    changed = (name for name in Settings.__dataclass_fields__ if getattr(before, name) != getattr(after, name))
    return {SAID_BY.get(name, name) for name in changed}
