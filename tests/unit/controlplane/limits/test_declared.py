"""Can somebody always change what a Project object has declared, whatever became of that object?"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mizzen_controlplane.archiving.service import archive
from mizzen_controlplane.budgets.schemas import BudgetPatch
from mizzen_controlplane.budgets.service import delete_budget, get_budget, patch_budget
from mizzen_controlplane.cluster.projects import CLUSTER
from mizzen_controlplane.identity.projects import follow
from mizzen_controlplane.identity.repository import find_project
from mizzen_controlplane.kit.database import reading
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Conflict
from mizzen_controlplane.limits.declared import answer_about, follow_declaration, release
from mizzen_controlplane.limits.declared_entries import Declaration
from mizzen_controlplane.limits.repository import limits_in_force
from mizzen_controlplane.limits.schemas import LimitPatch
from mizzen_controlplane.limits.service import delete_limit, patch_limit
from mizzen_crds.project_limits import LimitsState
from support.embedded_plane import embedded_plane

LIMIT = {"name": "fair-use", "metric": "Requests", "amount": 600}
BUDGET = {"name": "monthly", "amount": "2500.00"}


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    """With a project whose object declares a limit and a budget."""
    async with embedded_plane(tmp_path) as made:
        await follow(made, CLUSTER, "team", "team", allow_code=False)
        await follow_declaration(made, CLUSTER, "team", of_people("theirs"))
        yield made


def of_people(uid: str) -> Declaration:
    return Declaration(uid, 1, (LIMIT,), (BUDGET,), made_here=False)


def of_our_own(uid: str) -> Declaration:
    """What the object says that the control plane makes where namespace and object are gone."""
    return Declaration(uid, 1, (), (), made_here=True)


async def object_deleted(plane: Plane) -> None:
    async with reading(plane.database) as session:
        project = await find_project(session, plane.organization_id, "team")
    assert project is not None
    await release(plane, project.id)


async def changed_by_the_api(plane: Plane) -> None:
    """Each is changed, and then deleted."""
    await patch_limit(plane, CLUSTER, "team", "fair-use", LimitPatch(amount=5), None)
    await patch_budget(plane, CLUSTER, "team", "monthly", BudgetPatch(amount="5.00"), None)
    await deleted_by_the_api(plane)


async def deleted_by_the_api(plane: Plane) -> None:
    await delete_limit(plane, CLUSTER, "team", "fair-use", None)
    await delete_budget(plane, CLUSTER, "team", "monthly", None)


async def test_a_declared_budget_is_announced_as_one_of_the_api_is(plane: Plane) -> None:
    told = {**BUDGET, "notifyAt": [100, 50, 50]}
    await follow_declaration(plane, CLUSTER, "team", Declaration("theirs", 2, (), (told,), made_here=False))
    assert (await get_budget(plane, "team", "monthly")).notify_at == [50, 100]
    await follow_declaration(plane, CLUSTER, "team", Declaration("theirs", 3, (), (BUDGET,), made_here=False))
    assert (await get_budget(plane, "team", "monthly")).notify_at == []


async def test_a_declared_project_is_archived_once_its_object_is_deleted_and_comes_back_with_it(plane: Plane) -> None:
    with pytest.raises(Conflict, match="delete that first"):
        await archive(plane, CLUSTER, "team", None)
    await object_deleted(plane)
    assert (await archive(plane, CLUSTER, "team", None)).archived_at is not None
    await follow(plane, CLUSTER, "team", "team", allow_code=False)
    await changed_by_the_api(plane)  # which an archived one refuses


async def test_once_the_object_is_deleted_the_api_changes_them(plane: Plane) -> None:
    with pytest.raises(Conflict, match=r"change spec\.limits"):
        await delete_limit(plane, CLUSTER, "team", "fair-use", None)
    await object_deleted(plane)
    await changed_by_the_api(plane)


@pytest.mark.parametrize("seen_deleted", [True, False])
async def test_an_object_made_here_in_its_place_leaves_them_in_force_and_to_the_api(
    plane: Plane, seen_deleted: bool
) -> None:
    if seen_deleted:
        await object_deleted(plane)
    await follow_declaration(plane, CLUSTER, "team", of_our_own("ours"))
    assert (await answer_about(plane, "team", "ours", 1)).state == LimitsState.IN_FORCE
    async with reading(plane.database) as session:
        assert [(one.name, one.amount) for one in await limits_in_force(session)] == [("fair-use", 600)]
    await changed_by_the_api(plane)


async def test_the_same_file_applied_again_takes_them_up_again(plane: Plane) -> None:
    await object_deleted(plane)
    await follow_declaration(plane, CLUSTER, "team", of_people("again"))
    assert (await answer_about(plane, "team", "again", 1)).state == LimitsState.IN_FORCE
    with pytest.raises(Conflict, match=r"change spec\.limits"):
        await deleted_by_the_api(plane)
