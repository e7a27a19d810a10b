"""When are two pods the same? A revision: the user's pod-affecting fields, `restarted-at` and the resolved digest."""

from dataclasses import dataclass
from typing import Any

from mizzen_crds.v1alpha1.model_deployment import ModelDeployment


@dataclass(frozen=True)
class Revision:
    """What a set of equal pods was made from. It is kept as a ControllerRevision and never rendered again."""

    name: str
    """<deployment>-<hash>, at most 63 characters."""
    hash: str
    """Ten hexadecimal digits over `inputs`."""
    inputs: dict[str, Any]
    """What the hash covers."""
    template: dict[str, Any]
    """Pod template (metadata and spec), as first rendered."""


def revision_inputs(deployment: ModelDeployment, digest: str) -> dict[str, Any]:
    """Return what makes two pods different in the user's eyes; nothing that Mizzen itself renders."""
    raise NotImplementedError


def revision_hash(deployment: ModelDeployment, digest: str) -> str:
    """Return ten hexadecimal digits over `revision_inputs`."""
    raise NotImplementedError


def frozen_revision(manifest: dict[str, Any]) -> Revision:
    """Read a revision back from its ControllerRevision."""
    raise NotImplementedError
