"""What does no watch tell? Everything is looked at again now and then, and a watch that fell silent is found out."""

import asyncio
import random
from collections.abc import Callable
from typing import Final

import structlog
from mizzen_kube import resources
from mizzen_kube.api import Api, Selection
from mizzen_kube.errors import ApiError, NotFoundError
from mizzen_kube.kept import Key, is_older

from mizzen_operator.reconcile.caches import Caches
from mizzen_operator.reconcile.keyed_queue import KeyedQueue
from mizzen_operator.settings import Settings

PATIENCE_SECONDS: Final = 10.0
"""A change that a list shows, and that the watch has not told of after so long, will not be told of."""
SPREAD_SECONDS: Final = 60.0
MOST_SILENCES: Final = 5
"""So many silent watches in a row, and a new process may do better."""
log = structlog.get_logger()


class Resync:
    """Timers of one operator."""

    def __init__(
        self,
        settings: Settings,
        api: Api,
        caches: Caches,
        queue: KeyedQueue[Key],
        begin_again: Callable[[], None],
    ) -> None:
        """`begin_again` starts the watch of what people write anew."""
        self._settings = settings
        self._api = api
        self._caches = caches
        self._queue = queue
        self._begin_again = begin_again
        self._silences = 0
        self._answered_at = float("-inf")

    def answered_within(self, seconds: float) -> bool:
        """Whether the API server has answered a list of what people wrote within so many seconds."""
        return asyncio.get_running_loop().time() - self._answered_at <= seconds

    def ill(self) -> str:
        """Why a restart of this process would help; empty when it would not."""
        if self._silences >= MOST_SILENCES:
            return f"the watch of what people write fell silent {self._silences} times in a row"
        return ""

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._look_at_all())
            group.create_task(self._compare())

    async def _look_at_all(self) -> None:
        """Wake every key, spread over a part of the period so that the API server sees no burst."""
        while True:
            await asyncio.sleep(self._settings.resync_seconds)
            keys = list(self._caches.primaries.keys())
            spread = min(SPREAD_SECONDS, self._settings.resync_seconds / 2)
            for key in keys:
                self._queue.add_soon(key, random.uniform(0, spread))  # noqa: S311 -- spreads load

    async def _compare(self) -> None:
        """List what people wrote: forget what went unnoticed, and notice what the watch does not tell of."""
        while True:
            await asyncio.sleep(self._settings.compare_seconds)
            try:
                missed = await self._missed()
                if not missed:
                    self._silences = 0
                    continue
                await asyncio.sleep(PATIENCE_SECONDS)
                still = [key for key in missed if self._behind(key, missed[key])]
            except ApiError as error:
                log.warning("not compared", error=error.message)
                continue
            if still:
                self._fell_silent(f"{len(still)} changes were not told, such as {'/'.join(still[0])}")
                await self._catch_up(still)

    async def _missed(self) -> dict[Key, str]:
        """Keys with a resource version that the pictures do not have yet."""
        items, version = await self._api.list(resources.MODEL_DEPLOYMENTS, Selection(metadata_only=True))
        self._answered_at = asyncio.get_running_loop().time()
        listed = {}
        for one in items:
            metadata = one["metadata"]
            listed[(metadata["namespace"], metadata["name"])] = metadata["resourceVersion"]
        for key in self._caches.primaries.prune(set(listed), version):
            log.info("deployment went unnoticed", namespace=key[0], name=key[1])
            self._queue.add(key)
        return {key: one for key, one in listed.items() if self._behind(key, one)}

    def _behind(self, key: Key, version: str) -> bool:
        known = self._caches.primaries.version(key)
        return not known or is_older(known, version)

    async def _catch_up(self, keys: list[Key]) -> None:
        for namespace, name in keys:
            try:
                self._caches.primaries.put(await self._api.get(resources.MODEL_DEPLOYMENTS, name, namespace))
            except NotFoundError:
                continue
            except ApiError as error:
                log.warning("not caught up", error=error.message)
                return
            self._queue.add((namespace, name))

    def _fell_silent(self, why: str) -> None:
        self._silences += 1
        log.warning("the watch of what people write fell silent", why=why, times=self._silences)
        self._begin_again()
