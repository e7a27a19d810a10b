"""The Python client against a real control plane: typed answers, pages, refusals, states that have passed."""

import pytest
from mizzen_client import AsyncMizzen, Conflict, Invalid, Mizzen, NotAuthenticated, NotFound, PreconditionFailed
from support.controlplane import ControlPlane


def test_a_list_is_read_over_all_its_pages(controlplane: ControlPlane, project: str) -> None:
    with Mizzen(controlplane.url, controlplane.tokens["admin"]) as mizzen:
        made = [mizzen.create_key(project, {"name": f"k{number}"})["name"] for number in range(3)]
        assert sorted(key["name"] for key in mizzen.all_keys(project, page_size=2)) == made
        assert len(mizzen.list_keys(project, page_size=2)["items"]) == 2


async def test_it_is_awaited_as_well(controlplane: ControlPlane, project: str) -> None:
    async with AsyncMizzen(controlplane.url, controlplane.tokens["admin"]) as mizzen:
        await mizzen.create_model(project, {"name": "m"})
        assert [model["name"] async for model in mizzen.all_models(project)] == ["m"]


def test_refusals_are_errors_of_their_own(controlplane: ControlPlane, project: str) -> None:
    with Mizzen(controlplane.url, controlplane.tokens["admin"]) as mizzen:
        with pytest.raises(NotFound):
            mizzen.get_key(project, "absent")
        with pytest.raises(Conflict):
            mizzen.create_project({"name": project})
        with pytest.raises(Invalid) as refused:
            mizzen.create_project({"name": "Not a name"})
        assert refused.value.pointer == "/name"
    with Mizzen(controlplane.url, "mzt_wrong") as nobody, pytest.raises(NotAuthenticated):
        nobody.list_projects()


def test_a_state_that_has_passed_is_not_changed(controlplane: ControlPlane, project: str) -> None:
    with Mizzen(controlplane.url, controlplane.tokens["admin"]) as mizzen:
        etag = mizzen.get_project(project)["etag"]
        mizzen.change_project(project, {"labels": {"a": "1"}}, if_match=etag)
        with pytest.raises(PreconditionFailed):
            mizzen.change_project(project, {"labels": {"a": "2"}}, if_match=etag)
        assert mizzen.get_project(project)["labels"] == {"a": "1"}
