"""How does a change of gateway.yaml reach callers? It is read when it changes; one that is wrong changes nothing."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from mizzen_gateway.discovery.access import in_turns
from mizzen_gateway.discovery.access_building import without_pause
from mizzen_gateway.discovery.access_index import AccessIndex, AccessState
from mizzen_gateway.discovery.access_lines import Line, read_line
from mizzen_gateway.discovery.known_objects import KnownObjects, identify
from mizzen_gateway.engine.dial import Dial
from mizzen_gateway.engine.pool import Address, EnginePool
from mizzen_gateway.errors import CannotStartError
from mizzen_gateway.limits.choice import PROCESS
from mizzen_gateway.settings import Settings
from mizzen_gateway.standalone.apart import taken_apart
from mizzen_gateway.standalone.ledger import LocalLedger
from mizzen_gateway.standalone.objects import dials_of, objects_of
from mizzen_gateway.standalone.reading import FileRefusedError
from mizzen_gateway.standalone.settings import SAID_BY, SPOOL
from mizzen_gateway.standalone.taken import Stamps, Taken, stamps_now, taken

LOOK_SECONDS: Final = 1.0
PRUNE_SECONDS: Final = 3600.0

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
        self._turn = asyncio.Lock()
        self._stamps: Stamps = {}
        self._keep_days = 0
        made = taken(self._path, 1, settings.pepper)
        self._refuse_budgets_of_several(made)
        # A worker has a name and a spool of its own, which are no change of the file.
        self._began = replace(settings, name=made.file.name, spool_dir=settings.data_dir / SPOOL)
        line = without_pause(read_line([made.line], None))
        self._put(made, index_in(line), dials_of(made.file, self._path.parent))

    async def run(self) -> None:
        """Look each second, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()
            await self._prune()

    async def look(self) -> None:
        """Take the file up where it, or a secret that it names, has changed."""
        stamps = await in_turns(stamps_now(list(self._stamps)))
        if stamps == self._stamps:
            if self._state.index is not None and self._state.index.version == self._version:
                self._state.confirmed_at = time.time()
            return
        await self.read_again()

    async def read_again(self) -> None:
        """Now. Where the file cannot be gone by, all stays as it was, and the log says why."""
        async with self._turn:
            stamps = await in_turns(stamps_now(list(self._stamps)))
            try:
                waiting = await self._take()
            except CannotStartError as error:
                self._stamps = stamps
                self._version = -abs(self._version)  # the snapshot's age tells for how long the file has been wrong
                log.warning(
                    "file not taken up; what was before goes on", file=str(self._path), mistakes=str(error).split("\n")
                )
                return
            log.info("file taken up", file=str(self._path), version=self._version, at_a_restart=waiting)

    async def _take(self) -> list[str]:
        """All of it or nothing: what can fail, and what takes long, comes first. Returns what waits for a restart."""
        before = self._state.index
        made, pieces = await taken_apart(self._path, abs(self._version) + 1, self._settings.pepper)
        self._refuse_budgets_of_several(made)
        dials = await asyncio.to_thread(dials_of, made.file, self._path.parent)
        line = await in_turns(read_line(pieces, before))
        self._put(made, index_in(line), dials)
        if before is not None:
            await in_turns(before.dismantled())
        return sorted(at_a_restart(self._began, made.settings))

    def _put(self, made: Taken, index: AccessIndex, dials: dict[Address, Dial]) -> None:
        """Into force, in one step: no request finds half of it."""
        documents = objects_of(made.file)
        self._ledger.take_budgets(made.budgets)
        self._pool.take_dials(dials)
        for document in documents:
            self._known.put(document)
        self._known.whole({identify(document) for document in documents})
        self._state.put(index, time.time())
        self._version = index.version
        self._stamps = made.stamps
        self._keep_days = made.file.metering.keep_days

    def _refuse_budgets_of_several(self, made: Taken) -> None:
        """The file holds together, but this process may have begun by another: several would spend one budget."""
        alone = not self._settings.workers and self._settings.limits.address == PROCESS
        if not alone and made.budgets:
            raise FileRefusedError(
                f"{self._path}: budgets: this process began with listen.workers or a shared limits_store, which it"
                " keeps; start the gateway anew"
            )

    async def _prune(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._pruned_at < PRUNE_SECONDS:
            return
        self._pruned_at = now
        try:
            await self._ledger.prune(datetime.now(UTC) - timedelta(days=self._keep_days))
        except OSError as error:
            log.warning("old usage not removed", error=str(error))


def index_in(line: Line | None) -> AccessIndex:
    """Of the line that was made of a file."""
    assert line is not None, "it is not empty"
    assert line.index is not None, "it has a snapshot"
    return line.index


def at_a_restart(before: Settings, after: Settings) -> set[str]:
    """Fields of the file that changed and that a running process keeps as they were."""
    changed = (name for name in Settings.__dataclass_fields__ if getattr(before, name) != getattr(after, name))
    return {SAID_BY.get(name, name) for name in changed}
