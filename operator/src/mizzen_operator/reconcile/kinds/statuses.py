"""How does a status of a Project, a ModelRoute or a class get to the API server? Once a pass, only what changed."""

from datetime import datetime
from typing import Final

import structlog
from mizzen_crds.v1alpha1 import API_VERSION, conditions
from mizzen_crds.v1alpha1.accelerator_class import AcceleratorClass, AcceleratorClassStatus
from mizzen_crds.v1alpha1.model_route import ModelRoute, ModelRouteStatus
from mizzen_crds.v1alpha1.project import Project, ProjectStatus
from mizzen_kube.api import Api
from mizzen_kube.errors import NotFoundError

from mizzen_operator.reconcile.apply import MANAGER
from mizzen_operator.reconcile.events import Occurrence, tell, transitions
from mizzen_operator.reconcile.kinds.pictures import Pictures
from mizzen_operator.reconcile.status_patch import status_patch_with_zeros

TOLD: Final = {
    "Project": (conditions.READY, conditions.STALLED),
    "ModelRoute": (conditions.READY, conditions.ACCEPTED, conditions.RESOLVED_REFS),
    "AcceleratorClass": (conditions.NODES_AVAILABLE, conditions.DISJOINT),
}
log = structlog.get_logger()


class KindStatuses:
    """Writes statuses, and Events about what changed in them."""

    def __init__(self, api: Api, pictures: Pictures, instance: str) -> None:
        self._api = api
        self._pictures = pictures
        self._instance = instance

    async def write(
        self,
        subject: Project | ModelRoute | AcceleratorClass,
        status: ProjectStatus | ModelRouteStatus | AcceleratorClassStatus,
        now: datetime,
        repairs: tuple[Occurrence, ...] = (),
    ) -> None:
        """Write the status where it changed, then tell people. Raises ConflictError where the object has changed."""
        patch = status_patch_with_zeros(subject.status, status)
        if patch:
            metadata = subject.metadata
            identity = {"name": metadata.name, "uid": metadata.uid, "resourceVersion": metadata.resource_version}
            if metadata.namespace:
                identity["namespace"] = metadata.namespace
            manifest = {"apiVersion": API_VERSION, "kind": subject.kind, "metadata": identity, "status": patch}
            try:
                self._pictures.learn(await self._api.patch_status(manifest, field_manager=MANAGER))
            except NotFoundError:
                log.info("object is gone")
                return
        told = transitions(subject.status.conditions, status.conditions, TOLD[subject.kind])
        await tell(self._api, subject, (*repairs, *told), now, self._instance)
