"""What a new pod looks like: the revision's frozen template with a name of its own."""

import copy
import secrets
import uuid
from pathlib import Path
from typing import Any

from mizzen_crds.v1alpha1 import labels
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_operator.kinds.model_deployment.variables import ADMIN_KEY

from mizzen_cli.local.data_folder import DataFolder
from mizzen_cli.local.pod.sandbox import PodSettings
from mizzen_cli.local.runner.revisions import KeptRevision

DEPLOYMENT_UID = "mizzen.dev/deployment-uid"
"""Annotation of a pod: the object that it was made for."""
SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
PLATFORM_IMAGE = "mizzen.dev/platform"
"""Image of the containers that run in the platform's own environment."""


def pod_manifest(deployment: ModelDeployment, kept: KeptRevision) -> dict[str, Any]:
    """A Pod of that revision, with an admin key of its own."""
    template = copy.deepcopy(kept.revision.template)
    metadata = template.get("metadata", {})
    suffix = "".join(secrets.choice(SUFFIX_ALPHABET) for _ in range(5))
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{kept.revision.name}-{suffix}",
            "namespace": deployment.metadata.namespace,
            "uid": uuid.uuid4().hex,
            "labels": {
                **metadata.get("labels", {}),
                labels.DEPLOYMENT: deployment.metadata.name,
                labels.REVISION: kept.revision.hash,
            },
            "annotations": {**metadata.get("annotations", {}), DEPLOYMENT_UID: deployment.metadata.uid},
        },
        "spec": with_admin_key(template["spec"], secrets.token_hex(32)),
    }


def with_admin_key(spec: dict[str, Any], key: str) -> dict[str, Any]:
    """The spec with that value for the engine's admin key: the pod's uid, which the plan names, is no secret here."""
    for container in spec["containers"]:
        container["env"] = [
            {"name": ADMIN_KEY, "value": key} if one["name"] == ADMIN_KEY else one for one in container.get("env") or ()
        ]
    return spec


def pod_settings(manifest: dict[str, Any], folder: DataFolder, platform: Path, engine: Path) -> PodSettings:
    """Containers of the platform's image run in its environment, the others in the engine's."""
    spec = manifest["spec"]
    every = [*(spec.get("initContainers") or ()), *spec["containers"]]
    bins = {each["name"]: str(platform if each["image"] == PLATFORM_IMAGE else engine) for each in every}
    return PodSettings(
        folder_id=folder.id,
        claims=str(folder.claims),
        token_file=str(folder.secrets / "registry"),
        bin_folders=bins,
    )
