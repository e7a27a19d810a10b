"""What is on the API server now? A list, then a watch, for ever: whatever breaks, the picture is made whole again.

One task a kind. Readers ask the picture, never the server; changes are announced after the picture has them.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, aclosing
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from mizzen_kube.api import EVERYTHING, SILENCE_SECONDS, WATCH_SECONDS, Api, Selection
from mizzen_kube.backoff import Backoff
from mizzen_kube.errors import ApiError, GoneError, NotFoundError, UnavailableError
from mizzen_kube.kept import Change, Kept, Key, Manifest, controllers, identity, is_older
from mizzen_kube.own_writes import OwnWrites
from mizzen_kube.resources import Resource

T = TypeVar("T")
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Attention:
    """How a kind is watched, in seconds."""

    watch: float = WATCH_SECONDS
    """The server ends a watch after about this long, and another begins."""
    silence: float = SILENCE_SECONDS
    """A watch without a word for so long is taken for dead; longer than `watch` and its spread of a fifth."""
    absent: float = 30.0
    """How often a kind that the server does not know is looked for again."""


ATTENTIVE = Attention()


def unheard(change: Change) -> None:
    """For readers who only ask."""


def untold() -> None:
    """For readers of kinds that are always there."""


class Reflector(Generic[T]):
    """The objects of one kind as they are, each in the form that `keep` makes of it."""

    def __init__(
        self,
        api: Api,
        resource: Resource,
        selection: Selection = EVERYTHING,
        *,
        keep: Callable[[Manifest], T],
        on_change: Callable[[Change], None] = unheard,
        on_known: Callable[[], None] = untold,
        owners: Callable[[Manifest], Iterable[str]] = controllers,
        attention: Attention = ATTENTIVE,
        backoff: Backoff | None = None,
    ) -> None:
        """`keep` gets a manifest without managedFields: `Packing()` for all of it, or a small view of it.

        `on_known` is called when the server has come to know the kind, and when it knows it no longer.
        """
        self._api = api
        self._resource = resource
        self._selection = selection
        self._own = OwnWrites(on_change)
        self._on_known = on_known
        self._attention = attention
        self._backoff = backoff or Backoff()
        self._kept = Kept(keep, owners)
        self._version = ""
        self.synced = asyncio.Event()
        """Set once the picture is whole: everything that was there at the start is in it."""
        self.absent = False
        """The server does not know the kind; the picture is empty, and whole."""
        self.restarts: Counter[str] = Counter()
        """Watches that ended, by the reason's word; `ended` is the good order."""
        self.heard_at = time.monotonic()
        """When the server last said something; for a probe."""

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, namespace: str, name: str) -> T | None:
        """Return an object; None where there is none."""
        return self._kept.get((namespace, name))

    def version(self, key: Key) -> str:
        """Return the resource version of an object in the picture; empty where there is none."""
        return self._kept.version(key)

    def by_owner(self, owner: str) -> list[T]:
        """Return the objects that this uid (or what `owners` returned) controls."""
        return self._kept.by_owner(owner)

    def keys(self) -> Iterable[Key]:
        """Return all keys; not to be held across an await."""
        return self._kept.keys()

    def items(self) -> Iterator[tuple[Key, T]]:
        """Yield all objects with their keys; not to be held across an await."""
        return self._kept.items()

    def values(self) -> Iterator[T]:
        """Yield all objects; not to be held across an await."""
        return self._kept.values()

    def learn(self, manifest: Manifest) -> None:
        """Take what the server answered to a write, before the watch tells: the next look must see the own writes.

        An object that is not in the picture, of a version that the watch has passed, was deleted meanwhile: the watch
        would not tell its end again.
        """
        gone = self._kept.version(_key_of(manifest)) == "" and is_older(_version_of(manifest), self._version)
        if self._own.answered(manifest) and not gone:
            self._kept.put(manifest)

    def writing(self, key: Key) -> AbstractContextManager[None]:
        """While this program writes an object: what the watch tells of it waits, and the own write is no news."""
        return self._own.under_way(key)

    async def run(self) -> None:
        """Keep the picture until cancelled."""
        while True:
            began = time.monotonic()
            word, retry_after = "ended", None
            try:
                if not self._version:
                    async with self._api.listing:
                        await self._list()
                    began = time.monotonic()
                await self._watch()
            except ApiError as error:
                word, retry_after = error.word, error.retry_after
                self._lost(error)
            if word == "not_found":
                retry_after = self._attention.absent
            self.restarts[word] += 1
            await asyncio.sleep(self._backoff.after(time.monotonic() - began, retry_after))

    async def _list(self) -> None:
        listed: set[Key] = set()
        version = ""
        async with aclosing(self._api.pages(self._resource, self._selection)) as pages:
            async for page in pages:
                if page.first:
                    listed.clear()
                for manifest in page.items:
                    listed.add(self._put(manifest))
                version = page.resource_version
                page.items.clear()  # or two pages were in memory while the next one comes
        for change in self._kept.prune(listed, version):
            self._own.hear(change)
        self._version, self.heard_at = version, time.monotonic()
        self._known(True)

    async def _watch(self) -> None:
        attention = self._attention
        watch = self._api.watch(
            self._resource,
            self._selection,
            resource_version=self._version,
            seconds=attention.watch,
            silence=attention.silence,
        )
        async with aclosing(watch) as events:
            async for kind, manifest in events:
                self.heard_at = time.monotonic()
                if kind == "DELETED":
                    self._remove(manifest)
                elif kind != "BOOKMARK":
                    self._put(manifest)
                self._version = _version_of(manifest)

    def _put(self, manifest: Manifest) -> Key:
        key = _key_of(manifest)
        if change := self._kept.put(manifest):
            self._own.hear(change)
        return key

    def _remove(self, manifest: Manifest) -> None:
        _key_of(manifest)
        if change := self._kept.remove(manifest):
            self._own.hear(change)

    def _lost(self, error: ApiError) -> None:
        if isinstance(error, GoneError):
            self._version = ""
        if isinstance(error, NotFoundError):
            if not self.absent:  # told once: an optional kind may never come
                log.info(
                    "kind not installed", kind=str(self._resource), looked_for_again_seconds=self._attention.absent
                )
            self._forget_kind()
            return
        say = log.info if isinstance(error, GoneError) else log.warning
        if self._backoff.failures in (0, 1, 5) or self._backoff.failures % 50 == 0:
            say("watch broke off", kind=str(self._resource), failures=self._backoff.failures, error=error.message)

    def _forget_kind(self) -> None:
        self._version = ""
        for change in self._kept.prune(set(), ""):
            self._own.hear(change)
        self._known(False)

    def _known(self, is_known: bool) -> None:
        was_absent, self.absent = self.absent, not is_known
        self.synced.set()
        if self.absent is not was_absent:
            self._on_known()


def _key_of(manifest: Manifest) -> Key:
    try:
        return identity(manifest)[0]
    except (KeyError, TypeError, AttributeError) as error:
        raise UnavailableError(f"an object without {error}: {str(manifest)[:200]}") from error


def _version_of(manifest: Manifest) -> str:
    try:
        return str(manifest["metadata"]["resourceVersion"])
    except (KeyError, TypeError) as error:
        raise UnavailableError(f"an event without a resource version: {str(manifest)[:200]}") from error


__all__ = ["ATTENTIVE", "Attention", "Change", "Key", "Manifest", "Reflector", "is_older"]
