"""How does a status get to the API server? Once a pass, only what changed, only to the object that was read."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import structlog
from mizzen_crds.v1alpha1 import API_VERSION, conditions
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_kube.api import Api
from mizzen_kube.errors import NotFoundError

from mizzen_operator.observation import Observation
from mizzen_operator.reconcile.apply import MANAGER, Outcome
from mizzen_operator.reconcile.events import occurrences, tell
from mizzen_operator.reconcile.primaries import Primaries
from mizzen_operator.reconcile.status_patch import status_patch
from mizzen_operator.rollout.outcome import RolloutPlan
from mizzen_operator.status import build_status

LONGEST_MESSAGE: Final = 1024
log = structlog.get_logger()


class StatusWriter:
    """Writes statuses, and Events about what changed in them."""

    def __init__(self, api: Api, primaries: Primaries, url: str, instance: str) -> None:
        self._api = api
        self._primaries = primaries
        self._url = url
        self._instance = instance

    async def write(
        self,
        deployment: ModelDeployment,
        observation: Observation,
        plan: RolloutPlan | None,
        outcome: Outcome,
        now: datetime,
        traffic: Mapping[str, int] | None = None,
    ) -> None:
        """Write the status where it changed, then tell people. Raises ConflictError where the object has changed."""
        status = build_status(deployment, observation, plan, now, url=self._url, traffic=traffic)
        patch = status_patch(deployment.status, status)
        if patch:
            metadata = deployment.metadata
            await self._patch(metadata.model_dump(mode="json", by_alias=True, exclude_defaults=True), patch)
        told = occurrences(deployment, status, plan, outcome)
        await tell(self._api, deployment, told, now, self._instance)

    async def write_unreadable(self, body: Mapping[str, Any], why: str, now: datetime) -> None:
        """Say of an object that this release does not understand that nothing is done; what runs goes on."""
        said = {
            "type": conditions.UP_TO_DATE,
            "status": "Unknown",
            "reason": conditions.NOT_OBSERVED,
            "message": f"This release of the operator cannot read the spec, so nothing is changed: {why}"[
                :LONGEST_MESSAGE
            ],
            "lastTransitionTime": now.isoformat().replace("+00:00", "Z"),
        }
        before = (body.get("status") or {}).get("conditions") or []
        same: Mapping[str, Any] = next((one for one in before if one.get("type") == said["type"]), {})
        if (same.get("status"), same.get("message")) == (said["status"], said["message"]):
            return
        log.warning("deployment cannot be read", error=why)
        rest = [one for one in before if one.get("type") != said["type"]]
        await self._patch(body["metadata"], {"conditions": [*rest, said]})

    async def _patch(self, metadata: Mapping[str, Any], patch: Mapping[str, Any]) -> None:
        identity = {name: metadata[name] for name in ("name", "namespace", "uid", "resourceVersion")}
        manifest = {"apiVersion": API_VERSION, "kind": "ModelDeployment", "metadata": identity, "status": dict(patch)}
        try:
            with self._primaries.writing((identity["namespace"], identity["name"])):
                self._primaries.learn(await self._api.patch_status(manifest, field_manager=MANAGER))
        except NotFoundError:
            log.info("deployment is gone")
