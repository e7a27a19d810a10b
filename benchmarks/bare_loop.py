"""How long does the API server itself need? The operator's own writes, by the same client, without an operator.

Children are rendered before the clock runs; the status is one that the operator wrote. Events are not among the writes.
"""

import asyncio
import json
import time
from datetime import UTC, datetime

from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_kube.api import Api
from mizzen_operator.kinds.model_deployment.artifact import artifact_of_uri
from mizzen_operator.kinds.model_deployment.desired import desired
from mizzen_operator.kinds.model_deployment.environment import PlanEnvironment
from mizzen_operator.observing.fleet_view import KeptRevision
from mizzen_operator.reconcile.children import wanted_children
from mizzen_operator.runtimes.builtin import builtin_runtimes, runtime_for
from operator_stage import MANAGER, Manifest, Stage, at_once, deployment

ENVIRONMENT = PlanEnvironment(
    platform_image="mizzen.dev/platform",
    registry_url="http://mizzen-controlplane.mizzen-system:8470",
    operator_url="http://mizzen-operator.mizzen-system.svc:8482",
)


def children(primary: Manifest) -> list[Manifest]:
    """Every child of a deployment, as the operator renders it, in the order of its writes."""
    model = ModelDeployment.model_validate(primary)
    runtime = runtime_for(model, builtin_runtimes())
    assert runtime is not None
    newest = desired(model, runtime, artifact_of_uri(model.spec.model), ENVIRONMENT)
    kept = {newest.revision.hash: KeptRevision(newest.revision, datetime.now(UTC))}
    wanted = wanted_children(model, newest, kept, {newest.revision.hash: model.spec.replicas}, ENVIRONMENT)
    return [json.loads(json.dumps(one)) for one in wanted]


def bare_loop(stage: Stage, count: int, status: Manifest) -> float:
    """Seconds for so many deployments, their children and a status each."""
    families = [(primary, children(primary)) for primary in map(deployment, range(count))]

    async def write() -> float:
        async with stage.api() as api:
            began = time.monotonic()
            await at_once(range(count), lambda number: _family(api, *families[number], status))
            return time.monotonic() - began

    return asyncio.run(write())


async def _family(api: Api, primary: Manifest, rest: list[Manifest], status: Manifest) -> None:
    made = await api.create(primary, field_manager=MANAGER)
    for child in rest:
        child["metadata"]["ownerReferences"][0]["uid"] = made["metadata"]["uid"]
        await api.create(child, field_manager=MANAGER)
    identity = {name: made["metadata"][name] for name in ("name", "namespace", "uid", "resourceVersion")}
    kind = {"apiVersion": made["apiVersion"], "kind": made["kind"]}
    await api.patch_status({**kind, "metadata": identity, "status": status}, field_manager=MANAGER)
