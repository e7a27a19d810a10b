"""What became of objects, change by change? A watch that records every one of them, so that no moment goes unseen."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
from support.cluster.objects import Object, Objects

_SLICE_SECONDS = 2


@dataclass
class Changes:
    """Every change of a kind's objects in a namespace, in the order in which the API server made them."""

    begun: list[Object]
    """What was there before."""
    told: list[tuple[str, Object]] = field(default_factory=list)
    """ADDED, MODIFIED or DELETED, and the object after it."""
    failure: str = ""

    def states(self) -> Iterator[dict[str, Object]]:
        """Yield what was there at each moment, by name: before, and after each change."""
        now = {one["metadata"]["name"]: one for one in self.begun}
        yield dict(now)
        for kind, one in self.told:
            if kind == "DELETED":
                now.pop(one["metadata"]["name"], None)
            else:
                now[one["metadata"]["name"]] = one
            yield dict(now)


@contextmanager
def recorded(objects: Objects, kind: str) -> Iterator[Changes]:
    """`with recorded(objects, "Pod") as changes:`; whole once the `with` has ended."""
    path = objects.resource(kind).path(objects.namespace)
    first = objects.call("GET", path)
    changes, ending = Changes(first["items"]), threading.Event()
    version = first["metadata"]["resourceVersion"]
    reader = threading.Thread(target=_follow, args=(objects, path, version, changes, ending), daemon=True)
    reader.start()
    try:
        yield changes
    finally:
        ending.set()
        reader.join()
    assert not changes.failure, changes.failure


def _follow(objects: Objects, path: str, version: str, changes: Changes, ending: threading.Event) -> None:
    """Watch in slices of two seconds; the last begins when the end is wished for, and so sees all before it."""
    last = False
    while not last:
        last = ending.is_set()
        version = _one_slice(objects, path, version, changes)
        last = last or bool(changes.failure)


def _one_slice(objects: Objects, path: str, version: str, changes: Changes) -> str:
    wish = {"watch": "true", "resourceVersion": version, "timeoutSeconds": str(_SLICE_SECONDS)}
    try:
        with objects.http.stream("GET", path, params=wish, timeout=60.0) as answer:
            for line in answer.iter_lines():
                event = json.loads(line)
                if event["type"] == "ERROR":
                    changes.failure = f"the watch broke: {event['object']}"
                    return version
                version = event["object"]["metadata"]["resourceVersion"]
                changes.told.append((event["type"], event["object"]))
    except httpx.TransportError as error:
        changes.failure = f"the watch broke: {error!r}"
    return version
