"""Routes that explain limits and try them out."""

from typing import Annotated

from fastapi import Depends, Query

from mizzen_controlplane.access.counted_over import CallableName
from mizzen_controlplane.allowances import service, simulation
from mizzen_controlplane.allowances.schemas import Explanation, Simulation, SimulationOutcome
from mizzen_controlplane.identity.scope import ProjectRef
from mizzen_controlplane.kit.auth import Allow, Permission, Subject
from mizzen_controlplane.kit.plane import ThePlane
from mizzen_controlplane.kit.routing import api_router

router = api_router("limits")
LimitReader = Annotated[Subject, Depends(Allow(Permission.LIMITS_READ))]
LIMITS = "/api/v1/projects/{project}/limits"


@router.get(LIMITS + ":explain")
async def explain_limits(
    _: LimitReader,
    plane: ThePlane,
    project: ProjectRef,
    model: Annotated[CallableName, Query(description="Served name, as a caller writes it.")],
    key: Annotated[str | None, Query(max_length=64, description="Id or name of the key that calls.")] = None,
) -> Explanation:
    """Whether the model may be called, and each limit and budget that counts the call: use, holders, remedy."""
    return await service.explain(plane, project, key, model)


@router.post(LIMITS + ":simulate")
async def simulate_limits(_: LimitReader, plane: ThePlane, project: ProjectRef, body: Simulation) -> SimulationOutcome:
    """Replay the project's requests of the last days against proposed limits; changes nothing."""
    return await simulation.simulate(plane, project, body)
