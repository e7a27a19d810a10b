"""ServingRuntime: how an engine is started. A new engine is one of these, not code."""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from mizzen_crds.rules import Rule, refuse_broken
from mizzen_crds.v1alpha1.metadata import Named, ObjectMeta
from mizzen_crds.v1alpha1.model_deployment.source import ModelFormat
from mizzen_crds.v1alpha1.model_deployment.workload import EngineType, LongText
from mizzen_crds.wire import Resource, WholeNumber, keyed_by

PortNumber = Annotated[WholeNumber, Field(ge=1, le=65_535)]


class RuntimePort(Resource):
    """A port of the engine's container."""

    name: Literal["http", "grpc", "metrics"]
    """What it speaks."""
    container_port: PortNumber
    """Number inside the pod."""


class HttpProbe(Resource):
    """A GET that answers 200 to 399 when the probe holds."""

    path: Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^/")]
    """Path."""
    port: Literal["http", "grpc", "metrics"] = "http"
    """Name of the port."""
    period_seconds: Annotated[WholeNumber, Field(ge=1, le=3600)] = 5
    """Time between two tries."""
    timeout_seconds: Annotated[WholeNumber, Field(ge=1, le=300)] = 2
    """A try that takes longer has failed."""
    failure_threshold: Annotated[WholeNumber, Field(ge=1, le=1000)] = 3
    """Failures in a row that count."""


class RuntimeMetrics(Resource):
    """Names of the engine's metrics; empty where it has none."""

    running: Annotated[str, StringConstraints(max_length=128)] = ""
    """Requests being worked on."""
    waiting: Annotated[str, StringConstraints(max_length=128)] = ""
    """Requests in the engine's queue."""
    kv_cache_utilization: Annotated[str, StringConstraints(max_length=128)] = ""
    """Share of the KV cache in use, 0 to 1."""


class LocalEnvironment(Resource):
    """How the engine's environment is made on one machine without containers."""

    packages: Annotated[list[LongText], Field(max_length=64)] = []
    """Requirements, pinned; empty: the platform's own environment."""
    overrides: Annotated[list[LongText], Field(max_length=64)] = []
    """Requirements that replace those of the packages themselves."""
    lock: Annotated[str, StringConstraints(max_length=253)] | None = None
    """Name of a lock file of mizzen_engines that pins everything; packages are then only its source."""
    prepare: Annotated[list[LongText], Field(max_length=16)] = []
    """Command run once in the fresh environment, by the platform's interpreter, with MIZZEN_ENVIRONMENT_DIR set."""
    env: Annotated[list[Named], Field(max_length=64, json_schema_extra=keyed_by("name"))] = []
    """Environment added on one machine; wins over the runtime's own."""
    args: Annotated[list[LongText], Field(max_length=64)] = []
    """Flags added to the engine's command on one machine."""
    size_bytes: Annotated[WholeNumber, Field(ge=0)] = 0
    """About how much disk it takes, for people who decide."""
    install: Literal["OnDemand", "Explicit"] = "OnDemand"
    """Explicit: never without `mizzen engines install`."""


RUNTIME_RULES: Final = (
    Rule(
        "spec",
        "ports",
        "must have the ports that readiness and liveness name; add them, or name others in the probes",
        "self.ports.exists(p, p.name == self.readiness.port) && self.ports.exists(p, p.name == self.liveness.port)",
        lambda it: {it.readiness.port, it.liveness.port} <= {port.name for port in it.ports},
    ),
    Rule(
        "spec",
        "ports",
        "two ports have one name; remove one",
        "",
        lambda it: len({port.name for port in it.ports}) == len(it.ports),
    ),
    Rule(
        "spec",
        "versions",
        "two versions have one name; remove one",
        "",
        lambda it: len({version.name for version in it.versions}) == len(it.versions),
    ),
    Rule(
        "spec",
        "allowedArgs",
        "a flag is in ownedArgs too, which a deployment may not set; remove it from one of them",
        "!self.allowedArgs.exists(a, a in self.ownedArgs)",
        lambda it: not set(it.allowed_args) & set(it.owned_args),
    ),
)
"""Which ServingRuntimes are refused although each field alone is right."""


class ServingRuntimeSpec(Resource):
    """How an engine is started."""

    engine: EngineType
    """Engine that it starts."""
    protocol: Literal["OpenAI", "OpenInference"]
    """What the engine's http port speaks."""
    image: Annotated[str, StringConstraints(min_length=1, max_length=512)]
    """Default image."""
    versions: Annotated[list[Named], Field(max_length=32, json_schema_extra=keyed_by("name"))] = []
    """Versions that a deployment may ask for, and their images."""
    allowed_images: Annotated[list[LongText], Field(max_length=64)] = []
    """Images that a deployment may name, exactly or with a trailing *."""
    command: Annotated[list[LongText], Field(min_length=1, max_length=64)]
    """Command of the engine's container; mounts, ports and settings only as $(MIZZEN_*) and $(POD_IP)."""
    env: Annotated[list[Named], Field(max_length=64, json_schema_extra=keyed_by("name"))] = []
    """Environment of the engine's container and of its layout step."""
    ports: Annotated[list[RuntimePort], Field(min_length=1, max_length=8, json_schema_extra=keyed_by("name"))]
    """Ports, by name."""
    readiness: HttpProbe
    """Tells that the model answers."""
    liveness: HttpProbe
    """Tells that the process is alive."""
    layout: Annotated[list[LongText], Field(max_length=64)] = []
    """Command of an init container that turns fetched files into what the engine loads."""
    formats: Annotated[list[ModelFormat], Field(max_length=16)] = []
    """Formats that it serves; empty: it needs no weights."""
    owned_args: Annotated[list[LongText], Field(max_length=64)] = []
    """Flags that Mizzen sets; a deployment may not."""
    allowed_args: Annotated[list[LongText], Field(max_length=256)] = []
    """Full names of flags that a deployment may set; `_` counts as `-`. Never --config: it would set all others."""
    refused_env: Annotated[list[LongText], Field(max_length=64)] = []
    """More variables that a deployment may not set, exactly or with a trailing *, beside those refused everywhere."""
    metrics: RuntimeMetrics = RuntimeMetrics()
    """Names of the engine's metrics."""
    local: LocalEnvironment = LocalEnvironment()
    """How the engine's environment is made on one machine without containers."""

    @model_validator(mode="after")
    def _rules_hold(self) -> Self:
        refuse_broken(RUNTIME_RULES, self, "spec")
        return self


class ServingRuntime(Resource):
    """How an engine is started."""

    api_version: Literal["mizzen.dev/v1alpha1"] = "mizzen.dev/v1alpha1"
    """mizzen.dev/v1alpha1."""
    kind: Literal["ServingRuntime"] = "ServingRuntime"
    """ServingRuntime."""
    metadata: ObjectMeta
    """Identity and bookkeeping."""
    spec: ServingRuntimeSpec
    """What is wanted."""
    status: dict[str, Any] = {}
    """Nothing yet."""
