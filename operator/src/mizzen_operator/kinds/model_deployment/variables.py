"""Which environment do the containers of an engine pod get? The names of docs/reference/between-programs.md."""

from typing import Any, Final

from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.serving_runtime import ServingRuntimeSpec

from mizzen_operator.kinds.model_deployment.artifact import Artifact
from mizzen_operator.kinds.model_deployment.environment import PlanEnvironment
from mizzen_operator.kinds.model_deployment.mounts import (
    ATTENDANT_FILE,
    CREDENTIALS_PATH,
    REPOSITORY_PATH,
    SCRATCH_PATH,
    TOKEN_FILE,
    Mounts,
)

Variable = dict[str, Any]
ADMIN_KEY: Final = "MIZZEN_ADMIN_KEY"
MAX_MODEL_LEN: Final = "MIZZEN_MAX_MODEL_LEN"
DRAIN_QUIET_SECONDS: Final = "MIZZEN_DRAIN_QUIET_SECONDS"


def value(name: str, text: object) -> Variable:
    """Return a variable with a fixed value."""
    return {"name": name, "value": str(text)}


def _from_pod(name: str, path: str) -> Variable:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def pod_variables() -> list[Variable]:
    """Return who the pod is, and where any container may write."""
    return [
        _from_pod("POD_IP", "status.podIP"),
        _from_pod("POD_NAME", "metadata.name"),
        _from_pod("POD_NAMESPACE", "metadata.namespace"),
        value("MIZZEN_SCRATCH_DIR", SCRATCH_PATH),
        value("HOME", "$(MIZZEN_SCRATCH_DIR)"),
        value("TMPDIR", "$(MIZZEN_SCRATCH_DIR)"),
        value("USER", "mizzen"),  # the uid has no entry in an image's passwd, and some libraries insist on a name
    ]


def model_variables(deployment: ModelDeployment, artifact: Artifact, mounts: Mounts) -> list[Variable]:
    """Return what the model is, and where its files lie."""
    named = [value("MIZZEN_MODEL_NAME", deployment.served_names[0])]
    if mounts.model is None:
        return named
    named += [
        value("MIZZEN_MODEL_URI", artifact.uri),
        value("MIZZEN_MODEL_DIGEST", artifact.digest),
        value("MIZZEN_MODEL_FORMAT", artifact.format),
        value("MIZZEN_MODEL_BYTES", artifact.size_bytes),
        value("MIZZEN_ALLOW_CODE", "1" if artifact.allow_code else "0"),
        value("MIZZEN_MODEL_DIR", mounts.model_dir),
    ]
    if mounts.repository is not None:
        named.append(value("MIZZEN_REPOSITORY_DIR", REPOSITORY_PATH))
    return named


def fetch_variables(deployment: ModelDeployment, mounts: Mounts, environment: PlanEnvironment) -> list[Variable]:
    """Return what only the fetch container may know: addresses and credentials."""
    named = [
        value("MIZZEN_REGISTRY_URL", environment.registry_url),
        *report_variables(environment),
        value("MIZZEN_FETCH_STALL_SECONDS", deployment.spec.model.cache.stall_seconds),
    ]
    if environment.registry_ca:
        named.append(value("MIZZEN_REGISTRY_CA", environment.registry_ca))
    if mounts.credentials is not None:
        named.append(value("MIZZEN_CREDENTIALS_DIR", CREDENTIALS_PATH))
    if networks := [store.cidr for store in environment.private_stores if store.cidr]:
        named.append(value("MIZZEN_FETCH_ALLOWED_HOSTS", ",".join(networks)))
    return named


def report_variables(environment: PlanEnvironment) -> list[Variable]:
    """Return whom an init container tells how far it is, how it knows them, and the token by which it is known."""
    named = [
        value("MIZZEN_REGISTRY_TOKEN_FILE", TOKEN_FILE),
        value("MIZZEN_OPERATOR_URL", environment.operator_url),
    ]
    if environment.operator_ca:
        named.append(value("MIZZEN_OPERATOR_CA", environment.operator_ca))
    return named


def engine_variables(deployment: ModelDeployment, runtime: ServingRuntimeSpec) -> list[Variable]:
    """Return ports, settings and what the attendant works from, then the runtime's own, then the user's."""
    engine, lifecycle = deployment.spec.engine, deployment.spec.lifecycle
    named = [value(f"MIZZEN_{port.name.upper()}_PORT", port.container_port) for port in runtime.ports]
    named += [
        _from_pod(ADMIN_KEY, "metadata.uid"),
        value("MIZZEN_TENSOR_PARALLEL", engine.parallelism.tensor),
        value("MIZZEN_PIPELINE_PARALLEL", engine.parallelism.pipeline),
        value("MIZZEN_DATA_PARALLEL", engine.parallelism.data),
    ]
    if engine.max_model_len is not None:
        named.append(value(MAX_MODEL_LEN, engine.max_model_len))
    named += [
        value("MIZZEN_ATTENDANT_FILE", ATTENDANT_FILE),
        value("MIZZEN_PROTOCOL", runtime.protocol),
        value("MIZZEN_HEALTH_PATH", runtime.readiness.path),
        value("MIZZEN_METRICS_PATH", "/metrics"),
        value("MIZZEN_METRIC_RUNNING", runtime.metrics.running),
        value("MIZZEN_METRIC_WAITING", runtime.metrics.waiting),
        value("MIZZEN_WARMUP_REQUESTS", lifecycle.warmup.requests),
        value("MIZZEN_DRAIN_SECONDS", lifecycle.drain_seconds),
        value(DRAIN_QUIET_SECONDS, 2),
    ]
    return named


def merged(*groups: list[Variable]) -> list[Variable]:
    """Return the groups as one list in which a later variable replaces an earlier one of the same name, in place."""
    by_name: dict[str, Variable] = {}
    for group in groups:
        by_name.update({one["name"]: one for one in group})
    return list(by_name.values())
