"""Are logs of this machine's pods read from their ends, followed through new pods, and refused by name?"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
from mizzen_controlplane.cluster.pod_files import PodFiles
from mizzen_controlplane.deployments.logs import CONTAINERS_MOST, Asked, printed, require_readable
from mizzen_controlplane.kit.problem import BadRequest, NotFound

ALL = Asked("default", "m")


def pod(root: Path, name: str, deployment: str = "m", text: str = "0\n1\n2\n") -> Path:
    """A pod's folder with a log for each of its containers, and one of what runs them."""
    folder = root / "default" / name
    (folder / "logs").mkdir(parents=True)
    spec = {"initContainers": [{"name": "fetch"}], "containers": [{"name": "engine"}]}
    for each in ("engine", "fetch", "shim"):
        (folder / "logs" / f"{each}.log").write_text(text)
    manifest = {"metadata": {"labels": {"mizzen.dev/deployment": deployment}}, "spec": spec}
    (folder / "pod.json").write_text(json.dumps({"manifest": manifest}))
    return folder


async def lines(root: Path, asked: Asked) -> list[str]:
    """All that is printed."""
    return [line.decode().rstrip("\n") async for line in printed(PodFiles(root), asked)]


async def test_pods_are_found_by_their_deployment_and_containers_stand_in_the_order_of_their_start(
    tmp_path: Path,
) -> None:
    pod(tmp_path, "m-1-b")
    pod(tmp_path, "m-1-a")
    pod(tmp_path, "m-1-x-1-a", "m-1-x")
    found = await lines(tmp_path, Asked("default", "m", tail=1))
    assert found == [f"m-1-{one}/{name} | 2" for one in "ab" for name in ("fetch", "engine")]


@pytest.mark.parametrize("text", ["0\n1\n2\n", "0\n1\n2"])
@pytest.mark.parametrize(("tail", "numbers"), [(-1, "012"), (2, "12"), (0, ""), (9, "012"), (3, "012")])
async def test_the_last_lines_are_read_whether_the_last_one_has_an_end_or_not(
    tmp_path: Path, text: str, tail: int, numbers: str
) -> None:
    pod(tmp_path, "p", text=text)
    found = await lines(tmp_path, Asked("default", "m", container="engine", tail=tail))
    assert found == [f"p/engine | {number}" for number in numbers]


async def test_a_long_log_is_read_from_its_end(tmp_path: Path) -> None:
    pod(tmp_path, "p", text="".join(f"{number} {'x' * 1000}\n" for number in range(3000)))
    found = await lines(tmp_path, Asked("default", "m", container="engine", tail=1500))
    assert [line.split()[2] for line in (found[0], found[-1])] == ["1500", "2999"]
    assert len(found) == 1500


async def test_what_comes_is_followed_in_new_pods_too(tmp_path: Path) -> None:
    folder = pod(tmp_path, "a")
    follow = Asked("default", "m", container="engine", tail=1, follow=True)
    async with asyncio.timeout(30), aclosing(_generator(tmp_path, follow)) as coming:
        assert await anext(coming) == b"a/engine | 2\n"
        with (folder / "logs" / "engine.log").open("a") as log:
            log.write("3\n")
        assert await anext(coming) == b"a/engine | 3\n"
        pod(tmp_path, "b", text="first\n")
        assert await anext(coming) == b"b/engine | first\n"


async def _generator(root: Path, asked: Asked) -> AsyncIterator[bytes]:
    async for line in printed(PodFiles(root), asked):
        yield line


async def test_a_container_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    pod(tmp_path, "a")
    with pytest.raises(NotFound, match="a/fetch, a/engine"):
        await require_readable(PodFiles(tmp_path), Asked("default", "m", container="x"))
    await require_readable(PodFiles(tmp_path), ALL)
    await require_readable(PodFiles(tmp_path), Asked("default", "none yet", container="x"))


async def test_more_containers_than_one_caller_may_read_are_refused(tmp_path: Path) -> None:
    for number in range(CONTAINERS_MOST // 2 + 1):
        pod(tmp_path, f"p{number}")
    with pytest.raises(BadRequest, match="name a pod or a container"):
        await require_readable(PodFiles(tmp_path), ALL)
