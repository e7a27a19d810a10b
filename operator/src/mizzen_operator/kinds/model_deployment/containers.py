"""What do the containers of an engine pod run? Attendant, fetch and layout first, then the engine."""

import re
from typing import Any, Final

from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.serving_runtime import HttpProbe, ServingRuntimeSpec

from mizzen_operator.kinds.model_deployment import adapters, variables
from mizzen_operator.kinds.model_deployment.artifact import Artifact
from mizzen_operator.kinds.model_deployment.environment import AcceleratorKind, PlanEnvironment
from mizzen_operator.kinds.model_deployment.mounts import ATTENDANT_FILE, TEMPORARY_PATH, Mounts
from mizzen_operator.kinds.model_deployment.startup import load_budget_seconds, probe_schedule
from mizzen_operator.runtimes.builtin import PLATFORM_IMAGE

Container = dict[str, Any]
ATTENDANT: Final = "attendant"
FETCH: Final = "fetch"
LAYOUT: Final = "layout"
ENGINE: Final = "engine"
WARMUP_PROBE_SECONDS: Final = 60
VARIABLE: Final = re.compile(r"\$\((MIZZEN_[A-Z_]+)\)")
INIT_RESOURCES: Final = {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "2Gi"}}
ENGINE_REQUESTS: Final = {"cpu": "500m", "memory": "1Gi"}
LOCKED_DOWN: Final = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def attendant_container(mounts: Mounts, environment: PlanEnvironment) -> Container:
    """Return the init container that copies the attendant, one file of the standard library alone, for the engine."""
    return {
        "name": ATTENDANT,
        "image": environment.platform_image,
        "command": ["python", "-m", "mizzen_engines.attendant", "install"],
        "env": variables.merged(variables.pod_variables(), [variables.value("MIZZEN_ATTENDANT_FILE", ATTENDANT_FILE)]),
        "resources": INIT_RESOURCES,
        "securityContext": LOCKED_DOWN,
        "volumeMounts": [mounts.tools.mounted(), mounts.scratch.mounted()],
    }


def fetch_container(
    deployment: ModelDeployment, artifact: Artifact, mounts: Mounts, environment: PlanEnvironment
) -> Container:
    """Return the init container that fetches and verifies weights; it alone sees credentials."""
    assert mounts.model is not None
    seen = [mounts.model.mounted(read_only=mounts.model_is_source), mounts.scratch.mounted()]
    seen += [mount.mounted(read_only=True) for mount in (mounts.token, mounts.credentials) if mount is not None]
    return {
        "name": FETCH,
        "image": environment.platform_image,
        "command": ["python", "-m", "mizzen_engines.fetch"],
        "env": variables.merged(
            variables.pod_variables(),
            variables.model_variables(deployment, artifact, mounts),
            variables.fetch_variables(deployment, mounts, environment),
        ),
        "resources": INIT_RESOURCES,
        "securityContext": LOCKED_DOWN,
        "volumeMounts": seen,
    }


def layout_container(
    deployment: ModelDeployment,
    runtime: ServingRuntimeSpec,
    artifact: Artifact,
    mounts: Mounts,
    environment: PlanEnvironment,
) -> Container:
    """Return the init container that turns fetched files into what the engine loads; its token is for its reports."""
    assert mounts.model is not None
    assert mounts.repository is not None
    return {
        "name": LAYOUT,
        "image": environment.platform_image,
        "command": list(runtime.layout),
        "env": variables.merged(
            variables.pod_variables(),
            variables.model_variables(deployment, artifact, mounts),
            variables.report_variables(environment),
            [variables.value(one.name, one.value) for one in runtime.env],
        ),
        "resources": INIT_RESOURCES,
        "securityContext": LOCKED_DOWN,
        "volumeMounts": [
            mounts.model.mounted(read_only=True),
            mounts.repository.mounted(),
            mounts.scratch.mounted(),
            *([mounts.token.mounted(read_only=True)] if mounts.token is not None else []),
        ],
    }


def engine_container(
    deployment: ModelDeployment,
    runtime: ServingRuntimeSpec,
    artifact: Artifact,
    mounts: Mounts,
    environment: PlanEnvironment,
) -> Container:
    """Return the container that serves."""
    env = variables.merged(
        variables.pod_variables(),
        variables.model_variables(deployment, artifact, mounts),
        variables.engine_variables(deployment, runtime),
        adapters.engine_variables(mounts),
        [variables.value(one.name, one.value) for one in runtime.env],
        [variables.value(one.name, one.value) for one in deployment.spec.engine.env],
    )
    named = {one["name"] for one in env}
    return {
        "name": ENGINE,
        "image": image_of(deployment, runtime, environment),
        "command": [item for item in runtime.command if set(VARIABLE.findall(item)) <= named]
        + _group_flags(deployment)
        + adapters.engine_flags(runtime, mounts),
        "args": list(deployment.spec.engine.args),
        "env": env,
        "ports": [{"name": port.name, "containerPort": port.container_port} for port in runtime.ports],
        "resources": engine_resources(deployment, environment),
        "securityContext": LOCKED_DOWN,
        "startupProbe": _startup_probe(deployment, runtime, artifact, environment),
        "readinessProbe": _http_probe(runtime.readiness),
        "livenessProbe": _http_probe(runtime.liveness),
        "lifecycle": {"preStop": {"exec": {"command": attended("drain")}}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": _engine_mounts(mounts),
    }


def _group_flags(deployment: ModelDeployment) -> list[str]:
    """Return how the pods of one replica find each other: variables that LeaderWorkerSet sets, in vLLM's flags."""
    if deployment.spec.multi_node is None:
        return []
    return ["--nnodes=$(LWS_GROUP_SIZE)", "--node-rank=$(LWS_WORKER_INDEX)", "--master-addr=$(LWS_LEADER_ADDRESS)"]


def attended(task: str) -> list[str]:
    """Return the command that runs a task of the attendant. A shell, because hooks are not expanded by the kubelet."""
    return ["/bin/sh", "-c", f'exec python3 "$MIZZEN_ATTENDANT_FILE" {task}']


def image_of(deployment: ModelDeployment, runtime: ServingRuntimeSpec, environment: PlanEnvironment) -> str:
    """Return the image: the one named, the one of the version named, or the runtime's default."""
    versions = {one.name: one.value for one in runtime.versions}
    engine = deployment.spec.engine
    image = engine.image or versions.get(engine.version or "", runtime.image)
    return environment.platform_image if image == PLATFORM_IMAGE else image


def accelerator_of(deployment: ModelDeployment, environment: PlanEnvironment) -> AcceleratorKind:
    """Return what the deployment's accelerator class means here."""
    return environment.accelerators.get(deployment.spec.resources.accelerator_class or "", AcceleratorKind())


def engine_resources(deployment: ModelDeployment, environment: PlanEnvironment) -> dict[str, Any]:
    """Return requests and limits; accelerators are in both, as extended resources must be."""
    resources = deployment.spec.resources
    requests, limits = ENGINE_REQUESTS | resources.requests, dict(resources.limits)
    for name in set(limits) & (set(ENGINE_REQUESTS) - set(resources.requests)):
        requests[name] = limits[name]  # a default must not exceed a limit that the user set
    if resources.accelerators_per_pod:
        name = accelerator_of(deployment, environment).resource_for(resources.sharing)
        counted = {name: str(resources.accelerators_per_pod)}
        requests, limits = requests | counted, limits | counted
    return {"requests": requests} | ({"limits": limits} if limits else {})


def _engine_mounts(mounts: Mounts) -> list[dict[str, Any]]:
    read = [mount for mount in (mounts.model, mounts.repository, mounts.tools) if mount is not None]
    read += list({one.mount.name: one.mount for one in mounts.adapters}.values())
    return [mount.mounted(read_only=True) for mount in read] + [
        mounts.scratch.mounted(),
        # Engines write there whatever TMPDIR says: Triton's Python backend its environments, for one.
        mounts.scratch.mounted() | {"mountPath": TEMPORARY_PATH},
        mounts.shared_memory.mounted(),
    ]


def _startup_probe(
    deployment: ModelDeployment, runtime: ServingRuntimeSpec, artifact: Artifact, environment: PlanEnvironment
) -> dict[str, Any]:
    schedule = probe_schedule(load_budget_seconds(deployment, artifact, environment))
    timing = {"periodSeconds": schedule.period_seconds, "failureThreshold": schedule.failure_threshold}
    if deployment.spec.lifecycle.warmup.requests:
        return {"exec": {"command": attended("started")}, "timeoutSeconds": WARMUP_PROBE_SECONDS, **timing}
    return _http_probe(runtime.readiness) | timing


def _http_probe(probe: HttpProbe) -> dict[str, Any]:
    return {
        "httpGet": {"path": probe.path, "port": probe.port},
        "periodSeconds": probe.period_seconds,
        "timeoutSeconds": probe.timeout_seconds,
        "failureThreshold": probe.failure_threshold,
    }
