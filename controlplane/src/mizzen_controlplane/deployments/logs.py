"""What do a deployment's containers print, line by line? One text of all, each line with pod and container before it.

Followed, the lines of all containers come as they are printed, those of pods that are made meanwhile too.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from mizzen_controlplane.cluster.log_source import Container, LogSource
from mizzen_controlplane.kit.problem import BadRequest, NotFound

LOOK_SECONDS: Final = 2.0
"""How often new containers are looked for."""
WAITING_LINES: Final = 256
"""Lines read ahead of a slow caller."""
CONTAINERS_MOST: Final = 50
"""That one caller reads at once: each is a connection to the API server."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which logs."""

    namespace: str
    deployment: str
    pod: str = ""
    container: str = ""
    tail: int = -1
    """Lines of each to begin with; all where negative."""
    follow: bool = False

    def means(self, container: Container) -> bool:
        """Whether this container is asked for."""
        return self.pod in ("", container.pod) and self.container in ("", container.name)


async def require_readable(source: LogSource, asked: Asked) -> None:
    """Raise NotFound where what is asked for by name is not there, BadRequest beyond what one caller may read."""
    there = await source.containers(asked.namespace, asked.deployment)
    meant = [one for one in there if asked.means(one)]
    if (asked.pod or asked.container) and there and not meant:
        names = ", ".join(f"{one.pod}/{one.name}" for one in there[:20])
        raise NotFound(f"No such container prints here. Those there are: {names}.", code="container_not_found")
    if len(meant) > CONTAINERS_MOST:
        raise BadRequest(
            f"{len(meant)} containers would be read, at most {CONTAINERS_MOST} at once: name a pod or a container.",
            code="too_many_containers",
        )


async def printed(source: LogSource, asked: Asked) -> AsyncIterator[bytes]:
    """Yield the lines; with `asked.follow` until the caller leaves."""
    if asked.follow:
        async for line in _followed(source, asked):
            yield line
        return
    for container in await source.containers(asked.namespace, asked.deployment):
        if asked.means(container):
            async for line in source.lines(asked.namespace, container, asked.tail, follow=False):
                yield _told(container, line)


async def _followed(source: LogSource, asked: Asked) -> AsyncIterator[bytes]:
    waiting: asyncio.Queue[bytes] = asyncio.Queue(WAITING_LINES)
    readers: dict[Container, asyncio.Task[int]] = {}
    tail = asked.tail
    clock = asyncio.get_running_loop().time
    try:
        while True:
            _read_new(source, asked, await source.containers(asked.namespace, asked.deployment), readers, waiting, tail)
            tail = -1  # of containers that come later, all
            look_at = clock() + LOOK_SECONDS
            while (left := look_at - clock()) > 0:
                try:
                    async with asyncio.timeout(left):
                        line = await waiting.get()
                except TimeoutError:
                    break
                yield line
    finally:
        for reader in readers.values():
            reader.cancel()
        await asyncio.gather(*readers.values(), return_exceptions=True)


def _read_new(
    source: LogSource,
    asked: Asked,
    there: list[Container],
    readers: dict[Container, asyncio.Task[int]],
    waiting: asyncio.Queue[bytes],
    tail: int,
) -> None:
    async def read(container: Container) -> int:
        count = 0
        async for line in source.lines(asked.namespace, container, tail, follow=True):
            await waiting.put(_told(container, line))
            count += 1
        return count

    for container in there[:CONTAINERS_MOST]:
        before = readers.get(container)
        not_yet = before is not None and before.done() and not before.cancelled() and before.result() == 0
        if asked.means(container) and (before is None or not_yet):
            readers[container] = asyncio.create_task(read(container))


def _told(container: Container, line: bytes) -> bytes:
    return f"{container.pod}/{container.name} | ".encode() + line.rstrip(b"\r") + b"\n"
