"""The one entrance: is this artifact what its format says, may it be served, and what does a caller see of it?"""

import zipfile
from collections.abc import Callable

from mizzen_crds.registry import Signature
from mizzen_crds.v1alpha1.model_deployment.source import ModelFormat

from mizzen_controlplane.models.formats.artifact import Artifact, UnfitArtifactError
from mizzen_controlplane.models.formats.code_content import code_in
from mizzen_controlplane.models.formats.gguf_header import check_gguf
from mizzen_controlplane.models.formats.safetensors_header import check_safetensors
from mizzen_controlplane.models.formats.triton_repository import check_triton_repository


def check_artifact(format_name: str, artifact: Artifact) -> Signature:
    """The signature; raises UnfitArtifactError. Reads files: call it in a thread."""
    if not artifact.allow_code:
        _refuse_code(artifact)
    return _CHECKS[ModelFormat(format_name)](artifact)


def _refuse_code(artifact: Artifact) -> None:
    for path, content in sorted(artifact.files.items()):
        kind = code_in(path, content)
        if kind:
            raise UnfitArtifactError(
                f"{path} is {kind}, which would run on the server when it is loaded. Export to ONNX or Safetensors, "
                "or allow code in the project (allow_code) where you trust its authors."
            )


def _check_onnx(artifact: Artifact) -> Signature:
    # Imported where it is used: onnx brings numpy, 0.2 s and 20 MB that a start need not pay.
    from mizzen_controlplane.models.formats.onnx_graph import check_onnx

    return check_onnx(artifact)


def _check_torch_script(artifact: Artifact) -> Signature:
    if not artifact.allow_code:
        raise UnfitArtifactError(
            "TorchScript holds pickles and code. Export to ONNX or Safetensors, or allow code in the project."
        )
    if not any(zipfile.is_zipfile(content) for content in artifact.named(".pt", ".pth", ".ts").values()):
        raise UnfitArtifactError(
            "Format TorchScript needs an archive that torch.jit.save made (.pt), and there is none."
        )
    return Signature()


_CHECKS: dict[ModelFormat, Callable[[Artifact], Signature]] = {
    ModelFormat.ONNX: _check_onnx,
    ModelFormat.SAFETENSORS: check_safetensors,
    ModelFormat.GGUF: check_gguf,
    ModelFormat.TRITON_REPOSITORY: check_triton_repository,
    ModelFormat.TORCH_SCRIPT: _check_torch_script,
}
