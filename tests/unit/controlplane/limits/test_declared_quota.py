"""Are the quota of a project and spec.quota of its Project object one, whichever side owns it?"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mizzen_controlplane.cluster.projects import CLUSTER
from mizzen_controlplane.identity.projects import follow
from mizzen_controlplane.identity.repository import find_project
from mizzen_controlplane.kit.database import reading
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Conflict
from mizzen_controlplane.limits.declared import follow_declaration, is_settled, release
from mizzen_controlplane.limits.declared_entries import Declaration
from mizzen_controlplane.limits.repository import find_declaration
from mizzen_controlplane.quotas.declared import Bounds
from mizzen_controlplane.quotas.repository import find_quota
from mizzen_controlplane.quotas.schemas import AcceleratorQuota, QuotaWrite
from mizzen_controlplane.quotas.service import read_quota, write_quota
from support.embedded_plane import embedded_plane

SAID = {
    "storageBytes": 500,
    "deployments": 3,
    "accelerators": [{"acceleratorClass": "h100", "count": 4}, {"acceleratorClass": "l4", "count": 0}],
    "resources": {"requests.cpu": "64"},
}
BOUNDS = Bounds(500, 3, {"h100": 4, "l4": 0})


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with embedded_plane(tmp_path) as made:
        await follow(made, CLUSTER, "team", "team", allow_code=False)
        yield made


def declaration(quota: dict[str, Any], *, made_here: bool = False, generation: int = 1) -> Declaration:
    return Declaration("uid", generation, (), (), made_here=made_here, quota=quota)


async def kept(plane: Plane) -> tuple[int | None, int | None, dict[str, int], str]:
    view = await read_quota(plane, "team")
    counts = {one.accelerator_class: one.count for one in view.accelerators}
    return view.storage_bytes, view.deployments, counts, view.managed_by


async def settled(plane: Plane, declared: Declaration) -> bool:
    async with reading(plane.database) as session:
        project = await find_project(session, plane.organization_id, "team")
        assert project is not None
        return is_settled(declared, await find_declaration(session, project.id), await find_quota(session, project.id))


def test_what_an_object_says_and_what_is_written_into_one_is_the_same() -> None:
    assert Bounds.of_object(SAID) == BOUNDS
    assert BOUNDS.in_object({"resources": {"requests.cpu": "64"}, "deployments": 99}) == SAID
    assert Bounds().in_object(SAID) == {"accelerators": [], "resources": {"requests.cpu": "64"}}
    assert Bounds.of_object(Bounds().in_object(SAID)) == Bounds()


async def test_the_api_reads_what_an_object_of_people_declares_and_changes_none_of_it(plane: Plane) -> None:
    await follow_declaration(plane, CLUSTER, "team", declaration(SAID))
    assert await kept(plane) == (500, 3, {"h100": 4, "l4": 0}, "project_object")
    with pytest.raises(Conflict, match=r"change spec\.quota"):
        await write_quota(plane, CLUSTER, "team", QuotaWrite(deployments=9))
    await follow_declaration(plane, CLUSTER, "team", declaration({}, generation=2))
    assert await kept(plane) == (None, None, {}, "project_object")


async def test_after_its_object_a_quota_stays_in_force_and_is_the_apis(plane: Plane) -> None:
    await follow_declaration(plane, CLUSTER, "team", declaration(SAID))
    async with reading(plane.database) as session:
        project = await find_project(session, plane.organization_id, "team")
    assert project is not None
    await release(plane, project.id)
    assert await kept(plane) == (500, 3, {"h100": 4, "l4": 0}, "api")
    await write_quota(plane, CLUSTER, "team", QuotaWrite(deployments=9))
    assert await kept(plane) == (None, 9, {}, "api")


async def test_an_object_that_was_made_here_takes_its_quota_from_the_api(plane: Plane) -> None:
    ours = declaration({}, made_here=True)
    counts = [AcceleratorQuota(accelerator_class="l4", count=1)]
    await write_quota(plane, CLUSTER, "team", QuotaWrite(deployments=9, accelerators=counts))
    await follow_declaration(plane, CLUSTER, "team", ours)
    await follow_declaration(plane, CLUSTER, "team", declaration(SAID, made_here=True, generation=2))
    assert await kept(plane) == (None, 9, {"l4": 1}, "api")


async def test_what_somebody_wrote_into_an_object_made_here_before_the_api_knew_quotas_is_taken_over_once(
    plane: Plane,
) -> None:
    ours = declaration(SAID, made_here=True)
    assert not await settled(plane, ours)
    await follow_declaration(plane, CLUSTER, "team", ours)
    assert await kept(plane) == (500, 3, {"h100": 4, "l4": 0}, "api")
    assert await settled(plane, ours)


async def test_a_generation_that_an_older_release_settled_is_looked_at_again_for_its_quota(plane: Plane) -> None:
    await follow_declaration(plane, CLUSTER, "team", declaration({}))
    assert await settled(plane, declaration({}))
    assert not await settled(plane, declaration(SAID))
