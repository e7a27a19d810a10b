"""TritonRepository: one model with config.pbtxt and version folders; one that carries code only where allowed."""

from typing import Any

from mizzen_crds.registry import Signature, TensorSpec

from mizzen_controlplane.models.formats.artifact import Artifact, UnfitArtifactError
from mizzen_controlplane.models.formats.config_pbtxt import Message, parse

_MAX_CONFIG_BYTES = 4 * 1024 * 1024
_ALLOW = "Allow code in the project (allow_code), or push a model without code."


def check_triton_repository(artifact: Artifact) -> Signature:
    """The signature; raises UnfitArtifactError."""
    path, folder = _config_path(artifact)
    versions = {file.removeprefix(folder).split("/")[0] for file in artifact.files if "/" in file.removeprefix(folder)}
    if not any(version.isdecimal() and int(version) >= 1 for version in versions):
        raise UnfitArtifactError(f"{path} has no version folder beside it. Put the model's file into a folder named 1.")
    config = _parsed(path, artifact)
    if not artifact.allow_code:
        _refuse_code(path, config)
    batched = int(_first(config, "max_batch_size", "0")) > 0
    return Signature(
        inputs=[_tensor(path, spec) for spec in config.get("input", [])],
        outputs=[_tensor(path, spec) for spec in config.get("output", [])],
        batched=batched,
    )


def _config_path(artifact: Artifact) -> tuple[str, str]:
    """Path of config.pbtxt and the model's folder, with a slash, or empty."""
    found = [path for path in artifact.files if path.split("/")[-1] == "config.pbtxt" and path.count("/") <= 1]
    if len(found) != 1:
        raise UnfitArtifactError(
            f"Format TritonRepository needs exactly one config.pbtxt, at the top or in the folder of its model, and "
            f"there are {len(found)}. Push one model a version."
        )
    return found[0], found[0].removesuffix("config.pbtxt")


def _parsed(path: str, artifact: Artifact) -> Message:
    content = artifact.files[path]
    if content.stat().st_size > _MAX_CONFIG_BYTES:
        raise UnfitArtifactError(f"{path} is over {_MAX_CONFIG_BYTES} bytes, which no configuration is.")
    try:
        config = parse(content.read_text())
        int(_first(config, "max_batch_size", "0"))
    except (ValueError, RecursionError) as error:
        raise UnfitArtifactError(f"{path} is not a valid config.pbtxt: it {error}.") from error
    return config


def _refuse_code(path: str, config: Message) -> None:
    backend = str(_first(config, "backend", ""))
    if backend == "python":
        raise UnfitArtifactError(f"{path} names the python backend, which runs the model's own code. {_ALLOW}")
    for parameter in config.get("parameters", []):
        if isinstance(parameter, dict) and "EXECUTION_ENV_PATH" in parameter.get("key", []):
            raise UnfitArtifactError(f"{path} has EXECUTION_ENV_PATH, an environment of its own to run. {_ALLOW}")


def _tensor(path: str, spec: Any) -> TensorSpec:
    try:
        kind = str(_first(spec, "data_type", "")).removeprefix("TYPE_")
        shape = [int(size) for size in spec.get("dims", [])]
        name = str(spec["name"][0])
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise UnfitArtifactError(f"{path} has an input or output without name, data_type or dims.") from error
    return TensorSpec(name=name, datatype="BYTES" if kind == "STRING" else kind, shape=shape)


def _first(message: Message, name: str, default: str) -> Any:
    return message.get(name, [default])[0]
