"""Where do things lie inside an engine pod? Volumes, their mounts, and the variables that name them."""

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_deployment.source import CacheMode
from mizzen_crds.v1alpha1.serving_runtime import ServingRuntimeSpec

from mizzen_operator.kinds.model_deployment.artifact import Artifact

MODEL_PATH: Final = "/mizzen/model"
SOURCE_PATH: Final = "/mizzen/source"
ADAPTERS_PATH: Final = "/mizzen/adapters"
REPOSITORY_PATH: Final = "/mizzen/repository"
SCRATCH_PATH: Final = "/mizzen/scratch"
TEMPORARY_PATH: Final = "/tmp"  # noqa: S108  # the pod's own
TOOLS_PATH: Final = "/mizzen/tools"
TOKEN_PATH: Final = "/mizzen/token"  # noqa: S105  # a folder
CREDENTIALS_PATH: Final = "/mizzen/credentials"
ATTENDANT_FILE: Final = f"{TOOLS_PATH}/attendant.py"
TOKEN_FILE: Final = f"{TOKEN_PATH}/registry"
TOKEN_SECONDS: Final = 3600
SHARED_MEMORY_PER_ACCELERATOR_GIB: Final = 1
CLAIM_SCHEME: Final = "pvc://"


@dataclass(frozen=True)
class Mount:
    """A volume and where containers see it."""

    name: str
    path: str
    volume: dict[str, Any]

    def manifest(self) -> dict[str, Any]:
        """Return the entry for `spec.volumes`."""
        return {"name": self.name, **self.volume}

    def mounted(self, *, read_only: bool = False) -> dict[str, Any]:
        """Return the entry for `volumeMounts` of a container."""
        seen = {"name": self.name, "mountPath": self.path}
        return seen | {"readOnly": True} if read_only else seen


@dataclass(frozen=True)
class AdapterMount:
    """Where one LoRA adapter lies."""

    adapter: str
    """Its name."""
    mount: Mount
    folder: str
    on_claim: bool
    """It lies on a claim of the user's and is only read."""


@dataclass(frozen=True)
class Mounts:
    """Every volume of a pod."""

    scratch: Mount
    tools: Mount
    shared_memory: Mount
    model: Mount | None
    """None where the runtime needs no weights."""
    model_dir: str
    model_is_source: bool
    """The weights lie on a claim of the user's and are only read."""
    repository: Mount | None
    """None where the runtime has no layout step."""
    token: Mount | None
    credentials: Mount | None
    adapters: tuple[AdapterMount, ...] = ()

    def volumes(self) -> list[dict[str, Any]]:
        """Return `spec.volumes`."""
        every = (
            self.model,
            self.repository,
            self.scratch,
            self.tools,
            self.shared_memory,
            self.token,
            self.credentials,
            *(one.mount for one in self.adapters),
        )
        return list({mount.name: mount.manifest() for mount in every if mount is not None}.values())


def mounts_of(deployment: ModelDeployment, runtime: ServingRuntimeSpec, artifact: Artifact) -> Mounts:
    """Return the volumes that this deployment's pods need."""
    needs_weights = bool(runtime.formats)
    secret = deployment.spec.model.secret_name if needs_weights else None
    shared_gib = SHARED_MEMORY_PER_ACCELERATOR_GIB * max(1, deployment.spec.resources.accelerators_per_pod)
    on_claim = artifact.uri.startswith(CLAIM_SCHEME)
    model, model_dir = _model(deployment, artifact) if needs_weights else (None, "")
    return Mounts(
        scratch=Mount("scratch", SCRATCH_PATH, {"emptyDir": {}}),
        tools=Mount("tools", TOOLS_PATH, {"emptyDir": {"sizeLimit": "1Mi"}}),
        shared_memory=Mount("shm", "/dev/shm", {"emptyDir": {"medium": "Memory", "sizeLimit": f"{shared_gib}Gi"}}),  # noqa: S108  # the pod's own
        model=model,
        model_dir=model_dir,
        model_is_source=on_claim,
        repository=Mount("repository", REPOSITORY_PATH, {"emptyDir": {}}) if runtime.layout else None,
        token=_token() if needs_weights else None,
        credentials=Mount("credentials", CREDENTIALS_PATH, {"secret": {"secretName": secret}}) if secret else None,
        adapters=_adapters(artifact) if needs_weights else (),
    )


def _adapters(artifact: Artifact) -> tuple[AdapterMount, ...]:
    shared, found = Mount("adapters", ADAPTERS_PATH, {"emptyDir": {}}), []
    for number, one in enumerate(artifact.adapters):
        mount, folder, on_claim = shared, f"{ADAPTERS_PATH}/{number}", one.artifact.uri.startswith(CLAIM_SCHEME)
        if on_claim:
            claim, _, path = one.artifact.uri.removeprefix(CLAIM_SCHEME).partition("/")
            volume = {"persistentVolumeClaim": {"claimName": claim, "readOnly": True}}
            mount = Mount(f"adapter-{number}", f"{SOURCE_PATH}-{number}", volume)
            folder = f"{mount.path}/{path}".rstrip("/")
        found.append(AdapterMount(one.name, mount, folder, on_claim))
    return tuple(found)


def _model(deployment: ModelDeployment, artifact: Artifact) -> tuple[Mount, str]:
    cache = deployment.spec.model.cache
    if artifact.uri.startswith(CLAIM_SCHEME):
        claim, _, folder = artifact.uri.removeprefix(CLAIM_SCHEME).partition("/")
        volume: dict[str, Any] = {"persistentVolumeClaim": {"claimName": claim, "readOnly": True}}
        return Mount("model", SOURCE_PATH, volume), f"{SOURCE_PATH}/{folder}".rstrip("/")
    if cache.mode is CacheMode.VOLUME:
        volume = {"persistentVolumeClaim": {"claimName": cache.claim_name}}
        return Mount("model", MODEL_PATH, volume), f"{MODEL_PATH}/{_folder_in_cache(artifact)}"
    limit = {"sizeLimit": cache.size_limit} if cache.size_limit else {}
    return Mount("model", MODEL_PATH, {"emptyDir": limit}), f"{MODEL_PATH}/files"


def _folder_in_cache(artifact: Artifact) -> str:
    """Return a folder of the artifact's own, so that revisions that share a claim never see each other's files."""
    identity = artifact.digest.removeprefix("sha256:") or hashlib.sha256(artifact.uri.encode()).hexdigest()
    return identity[:32]


def _token() -> Mount:
    projection = {"audience": "mizzen-registry", "expirationSeconds": TOKEN_SECONDS, "path": "registry"}
    return Mount("registry-token", TOKEN_PATH, {"projected": {"sources": [{"serviceAccountToken": projection}]}})
