"""What can neither schema nor CEL refuse? Rules that need the runtime, the artifact or the other deployments.

An ordered tuple of small checks; each returns the first reason that it finds, with the field, the limit and the remedy.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mizzen_crds.v1alpha1 import conditions
from mizzen_crds.v1alpha1.model_deployment import ModelDeployment
from mizzen_crds.v1alpha1.model_deployment.workload import EngineType
from mizzen_crds.v1alpha1.serving_runtime import ServingRuntime

from mizzen_operator.kinds.model_deployment.artifact import Artifact
from mizzen_operator.kinds.model_deployment.fit.refusal import fit_refusal
from mizzen_operator.observation import Refusal

VALUE = re.compile(r"^-[0-9.]")
NEVER_ALLOWED = frozenset({"--config"})
"""Flags that set other flags from a file: whatever a runtime lists, they would go past its list."""


@dataclass(frozen=True)
class Case:
    """What the checks look at."""

    deployment: ModelDeployment
    runtime: ServingRuntime | None
    artifact: Artifact | None
    others: Sequence[ModelDeployment]
    accelerator_bytes: int | None = None


def refusals(
    deployment: ModelDeployment,
    runtime: ServingRuntime | None,
    artifact: Artifact | None,
    others: Sequence[ModelDeployment],
    accelerator_bytes: int | None = None,
) -> tuple[Refusal, ...]:
    """Return every reason why the deployment may not run as it is; `others` are the deployments of its project.

    `accelerator_bytes` is the memory of one accelerator that a pod gets; None where it is not known.

    NameTaken leaves pods alone: the deployment runs and gets no traffic. With any other refusal nothing new is started.
    """
    case = Case(deployment, runtime, artifact, others, accelerator_bytes)
    return tuple(refusal for check in CHECKS if (refusal := check(case)) is not None)


def blocks_pods(found: Sequence[Refusal]) -> bool:
    """Whether any of the refusals keeps new pods from being made."""
    return any(one.reason != conditions.NAME_TAKEN for one in found)


def runtime_exists(case: Case) -> Refusal | None:
    """The runtime is there."""
    if case.runtime is not None:
        return None
    name = case.deployment.spec.engine.runtime_ref or "the built-in one"
    return Refusal(conditions.RUNTIME_NOT_FOUND, f"spec.engine.runtimeRef: there is no ServingRuntime {name}.")


def runtime_starts_the_engine(case: Case) -> Refusal | None:
    """A runtime that was named starts the engine that was named."""
    engine = case.deployment.spec.engine
    if case.runtime is None or engine.type in {EngineType.CUSTOM, case.runtime.spec.engine}:
        return None
    return Refusal(
        conditions.RUNTIME_MISMATCH,
        f"spec.engine.runtimeRef: {case.runtime.metadata.name} starts {case.runtime.spec.engine}, "
        f"and spec.engine.type is {engine.type}.",
    )


def image_allowed(case: Case) -> Refusal | None:
    """The image is on the runtime's list, exactly or by a trailing asterisk."""
    image = case.deployment.spec.engine.image
    if case.runtime is None or image is None:
        return None
    allowed = case.runtime.spec.allowed_images
    if any(_means(one, image) for one in allowed):
        return None
    return Refusal(
        conditions.IMAGE_NOT_ALLOWED,
        f"spec.engine.image: {image} is not allowed; runtime {case.runtime.metadata.name} allows "
        f"{', '.join(allowed) or 'none but its own'}.",
    )


def version_listed(case: Case) -> Refusal | None:
    """The engine's version is one of the runtime's."""
    version = case.deployment.spec.engine.version
    if case.runtime is None or version is None or version in {one.name for one in case.runtime.spec.versions}:
        return None
    listed = ", ".join(one.name for one in case.runtime.spec.versions) or "none"
    return Refusal(conditions.ENGINE_VERSION_NOT_FOUND, f"spec.engine.version: {version} is not one of {listed}.")


def flag_name(item: str) -> str:
    """Return the full name of a flag, without its value, underscores as hyphens."""
    return item.split("=", 1)[0].replace("_", "-")


def args_allowed(case: Case) -> Refusal | None:
    """Every flag is on the runtime's list by its full name; a bare word only follows a flag without a value."""
    if case.runtime is None:
        return None
    spec, takes_value = case.runtime.spec, False
    for number, item in enumerate(case.deployment.spec.engine.args):
        where = f"spec.engine.args[{number}]"
        if "$(" in item:
            text = f"{where}: {item} holds $(…), which the kubelet replaces by a variable; write the value itself."
            return Refusal(conditions.ARG_NOT_ALLOWED, text)
        if not item.startswith("-") or (takes_value and VALUE.match(item)):
            if not takes_value:
                return Refusal(conditions.ARG_NOT_ALLOWED, f"{where}: {item} belongs to no flag; write --flag=value.")
            takes_value = False
            continue
        name = flag_name(item)
        if name in NEVER_ALLOWED | {flag_name(one) for one in spec.owned_args}:
            return Refusal(conditions.ARG_NOT_ALLOWED, f"{where}: {name} is set by Mizzen.")
        if name not in {flag_name(one) for one in spec.allowed_args}:
            text = f"{where}: {name} is not in allowedArgs of runtime {case.runtime.metadata.name}."
            return Refusal(conditions.ARG_NOT_ALLOWED, text)
        takes_value = "=" not in item
    return None


def env_allowed(case: Case) -> Refusal | None:
    """No variable is on the runtime's own list of refused ones; those refused everywhere never come so far."""
    refused = case.runtime.spec.refused_env if case.runtime is not None else []
    for number, entry in enumerate(case.deployment.spec.engine.env):
        if any(_means(one, entry.name) for one in refused):
            text = f"spec.engine.env[{number}].name: {entry.name} is in refusedEnv of the runtime."
            return Refusal(conditions.ENV_NOT_ALLOWED, text)
    return None


def _means(entry: str, name: str) -> bool:
    return entry == name or (entry.endswith("*") and name.startswith(entry[:-1]))


def format_served(case: Case) -> Refusal | None:
    """The runtime serves the format of the weights."""
    if case.runtime is None or case.artifact is None or not case.runtime.spec.formats:
        return None
    served = ", ".join(case.runtime.spec.formats)
    if not case.artifact.format:
        return Refusal(conditions.FORMAT_UNKNOWN, f"spec.model.format: not set; the runtime serves {served}.")
    if case.artifact.format in {str(one) for one in case.runtime.spec.formats}:
        return None
    return Refusal(
        conditions.FORMAT_NOT_SERVED,
        f"spec.engine.type: runtime {case.runtime.metadata.name} serves {served}; the model is {case.artifact.format}.",
    )


def model_fits(case: Case) -> Refusal | None:
    """The model fits the accelerators, by the estimate; a runtime that loads no weights has none to fit."""
    if case.runtime is None or not case.runtime.spec.formats:
        return None
    return fit_refusal(case.deployment, case.artifact, case.accelerator_bytes)


def name_free(case: Case) -> Refusal | None:
    """No older deployment of the project serves one of the names, and none of its own names stands for two things."""
    namespace, mine = case.deployment.metadata.namespace, set(case.deployment.served_names)
    if twice := {one.name for one in case.deployment.spec.adapters} & {case.deployment.served_names[0]}:
        text = (
            f"spec.adapters: {min(twice)} is the name of the model itself; rename the adapter, or set servedModelName."
        )
        return Refusal(conditions.NAME_TAKEN, text)
    for other in sorted(case.others, key=_age):
        taken = mine & set(other.served_names)
        if taken and other.metadata.uid != case.deployment.metadata.uid and _age(other) < _age(case.deployment):
            names = ", ".join(sorted(taken))
            place = "" if other.metadata.namespace == namespace else f"{other.metadata.namespace}/"
            text = f"spec.servedModelName: {names} is served by the older deployment {place}{other.metadata.name}."
            return Refusal(conditions.NAME_TAKEN, text)
    return None


def _age(deployment: ModelDeployment) -> tuple[float, str, str]:
    metadata = deployment.metadata
    created = metadata.creation_timestamp
    return (created.timestamp() if created is not None else float("inf"), metadata.name, metadata.namespace)


CHECKS: tuple[Callable[[Case], Refusal | None], ...] = (
    runtime_exists,
    runtime_starts_the_engine,
    image_allowed,
    version_listed,
    args_allowed,
    env_allowed,
    format_served,
    model_fits,
    name_free,
)
