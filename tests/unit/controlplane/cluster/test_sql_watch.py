"""What does a reader get that fell behind what the log keeps?"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mizzen_controlplane.cluster import repository
from mizzen_controlplane.cluster.objects import ObjectKey, Wanted
from mizzen_controlplane.cluster.sql_store import SqlDeploymentStore
from mizzen_controlplane.cluster.sql_watch import SqlObjectWatch
from mizzen_controlplane.kit.database import unit_of_work
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Gone
from support.embedded_plane import embedded_plane

KEY = ObjectKey("ModelDeployment", "default", "m")


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with embedded_plane(tmp_path) as made:
        for replicas in range(5):
            async with unit_of_work(made.database) as session:
                await SqlDeploymentStore(session).apply(KEY, Wanted({}, {}, {"replicas": replicas}, "a"))
        yield made


async def test_a_reader_gets_the_rest_from_where_it_was(plane: Plane) -> None:
    feed = SqlObjectWatch(plane.database).watch(["ModelDeployment"], after=3)
    lines = [await anext(feed), await anext(feed)]
    assert [(line.type, line.resource_version) for line in lines] == [("MODIFIED", "4"), ("MODIFIED", "5")]


async def test_a_reader_from_before_the_kept_changes_is_told_to_list_again(plane: Plane) -> None:
    async with unit_of_work(plane.database) as session:
        await repository.trim_changes(session, 3)
    watch = SqlObjectWatch(plane.database)
    await watch.check(["ModelDeployment"], 3)
    with pytest.raises(Gone, match="kept: 4 to 5"):
        await watch.check(["ModelDeployment"], 2)


async def test_a_reader_with_the_newest_version_is_welcome_when_nothing_is_kept(plane: Plane) -> None:
    async with unit_of_work(plane.database) as session:
        await repository.trim_changes(session, 5)
    watch = SqlObjectWatch(plane.database)
    await watch.check(["ModelDeployment"], 5)
    with pytest.raises(Gone):
        await watch.check(["ModelDeployment"], 4)


async def test_a_reader_from_another_life_of_the_database_is_told_to_list_again(plane: Plane) -> None:
    with pytest.raises(Gone):
        await SqlObjectWatch(plane.database).check(["ModelDeployment"], 6)
