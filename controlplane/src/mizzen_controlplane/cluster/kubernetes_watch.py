"""The watch over the Kubernetes API: the watches of several kinds as one stream, with a heartbeat each second."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Final

from mizzen_crds.store import ObjectEvent
from mizzen_kube.api import Api
from mizzen_kube.errors import ApiError, GoneError, ThrottledError
from mizzen_kube.resources import Resource

from mizzen_controlplane.cluster.field_owners import told_by_owner
from mizzen_controlplane.cluster.kubernetes_store import RESOURCES
from mizzen_controlplane.cluster.objects import Document
from mizzen_controlplane.kit.change_signals import ChangeSignals
from mizzen_controlplane.kit.problem import Gone
from mizzen_controlplane.kit.stream import HEARTBEAT_SECONDS

LOOK_SECONDS: Final = 0.2
"""A version that is too old is refused at once; silence for so long means that it is not."""
THROTTLED_SECONDS: Final = 0.5
News = tuple[str, str, ObjectEvent | None]
"""Kind, how far it is told, and what happened; nothing but the position for a bookmark."""
ENDED: Final[News] = ("", "", None)


class KubernetesObjectWatch:
    """Follows the API server. A stream that ends early (the server went away) is to be opened again by its reader."""

    def __init__(self, api: Api, signals: ChangeSignals) -> None:
        """`signals` says when the process stops."""
        self._api = api
        self._signals = signals

    async def check(self, kinds: Sequence[str], after: int) -> None:
        """Raise Gone where the API server does not know what happened since `after`."""
        await asyncio.gather(*(self._check(RESOURCES[kind], after) for kind in kinds if kind in RESOURCES))

    async def _check(self, resource: Resource, after: int) -> None:
        events = self._api.watch(resource, resource_version=str(after), seconds=1)
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await anext(events, None)
        except GoneError as error:
            raise Gone(
                f"Changes after resource version {after} are not kept any more. List again, then watch from there.",
                code="resource_version_too_old",
            ) from error
        except (ApiError, TimeoutError):
            return  # whatever else is wrong, the stream itself will show
        finally:
            await events.aclose()

    async def watch(self, kinds: Sequence[str], after: int) -> AsyncIterator[ObjectEvent]:
        """Every change after the resource version; the changes of one kind in order."""
        news: asyncio.Queue[News] = asyncio.Queue(1000)
        # The reader goes on from the least that every kind has told.
        told = dict.fromkeys((kind for kind in kinds if kind in RESOURCES), after)
        tasks = [asyncio.create_task(self._follow(kind, after, news)) for kind in told]
        try:
            while not self._signals.ended:
                event: ObjectEvent | None = None
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(HEARTBEAT_SECONDS):
                        kind, version, event = await news.get()
                    if not kind:
                        return
                    told[kind] = int(version)
                    if event is None:
                        continue
                least = str(min(told.values(), default=after))
                heartbeat = ObjectEvent(type="HEARTBEAT", resource_version=least)
                yield event.model_copy(update={"resource_version": least}) if event else heartbeat
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, kind: str, after: int, news: "asyncio.Queue[News]") -> None:
        version = str(after)
        while True:
            try:
                async for event, manifest in self._api.watch(RESOURCES[kind], resource_version=version):
                    version = str(manifest["metadata"]["resourceVersion"])
                    await news.put((kind, version, None if event == "BOOKMARK" else _line(event, manifest)))
            except ThrottledError:  # also said of a kind that nobody has watched yet
                await asyncio.sleep(THROTTLED_SECONDS)
            except ApiError:
                await news.put(ENDED)
                return


def _line(event: str, manifest: Document) -> ObjectEvent:
    version = manifest["metadata"]["resourceVersion"]
    return ObjectEvent.model_validate({"type": event, "resource_version": version, "object": told_by_owner(manifest)})
