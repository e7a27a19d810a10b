"""The copy of what a gateway works from: whatever came last is in it."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import orjson
import pytest
from mizzen_gateway.discovery import known_objects
from mizzen_gateway.discovery.known_objects import KnownObjects, replace_file
from mizzen_gateway.routing.load import LoadBook
from mizzen_gateway.routing.table import RouteTable
from mizzen_gateway.stages import Caller, Refusal
from support.gateway import endpoint_set
from support.until import until


async def test_a_change_that_comes_while_the_copy_is_written_is_in_the_copy_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing, go_on = threading.Event(), threading.Event()

    def held(path: Path, raw: bytes) -> None:
        writing.set()
        assert go_on.wait(20)
        replace_file(path, raw)

    monkeypatch.setattr(known_objects, "KEEP_SECONDS", 0.01)
    monkeypatch.setattr(known_objects, "replace_file", held)
    file = tmp_path / "objects.json"
    known = KnownObjects(RouteTable(LoadBook(), {}.get), file)
    known.put(endpoint_set("first"))
    assert await asyncio.to_thread(writing.wait, 20)
    known.put(endpoint_set("second"))
    go_on.set()
    await until(lambda: {each["metadata"]["name"] for each in read(file)} == {"first", "second"}, 20)


async def test_a_route_comes_back_from_the_copy_and_leaves_when_it_is_dropped(tmp_path: Path) -> None:
    file = tmp_path / "objects.json"
    file.write_bytes(orjson.dumps([model_route()]))
    table = RouteTable(LoadBook(), {}.get)
    known = KnownObjects(table, file)
    assert known.load_cache()
    assert codes(table) == ["model_not_ready"]  # its deployment is not there
    known.drop(("ModelRoute", "ns", "chat"))
    assert codes(table) == ["model_not_found"]


async def test_a_route_that_asks_for_more_than_this_gateway_does_is_followed_no_longer(tmp_path: Path) -> None:
    table = RouteTable(LoadBook(), {}.get)
    known = KnownObjects(table, tmp_path / "objects.json")
    known.put(model_route())
    assert codes(table) == ["model_not_ready"]
    known.put(model_route(backends=[], pipeline=[{"name": "one", "deployment": "two"}], sticky={}))
    assert codes(table) == ["model_not_found"]


def model_route(**rule: Any) -> dict[str, Any]:
    rules = [{"name": "all", "backends": [{"deployment": "one"}], **rule}]
    metadata = {"name": "chat", "namespace": "ns"}
    return {"kind": "ModelRoute", "metadata": metadata, "spec": {"rules": rules}, "status": {"project": "team"}}


def codes(table: RouteTable) -> list[str]:
    found = table.find(Caller("org", "prj", "team", "ns", "key"), "chat")
    return [found.code] if isinstance(found, Refusal) else []


def read(file: Path) -> list[dict[str, dict[str, str]]]:
    """What the copy holds; nothing while there is none."""
    return orjson.loads(file.read_bytes()) if file.exists() else []
