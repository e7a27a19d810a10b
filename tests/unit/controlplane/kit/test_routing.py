"""A route that does not say who may call cannot be declared."""

import pytest
from fastapi import Depends
from mizzen_controlplane.kit.auth import Public
from mizzen_controlplane.kit.routing import UnguardedRouteError, api_router


def test_a_route_without_a_subject_cannot_be_declared() -> None:
    router = api_router("x")
    with pytest.raises(UnguardedRouteError, match="/api/v1/open"):

        @router.get("/api/v1/open")
        async def open_to_all() -> None:
            """Nobody asked who calls."""

    assert router.routes == []


def test_a_public_route_must_be_on_the_list() -> None:
    router = api_router("x")
    with pytest.raises(UnguardedRouteError):

        @router.get("/api/v1/open", dependencies=[Depends(Public())])
        async def open_to_all() -> None:
            """Not on the list of public routes."""

    assert router.routes == []
