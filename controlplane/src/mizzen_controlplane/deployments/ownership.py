"""May the API write this object? Not one that Git owns: the caller gets the patch to commit instead."""

from typing import Any, Final

from mizzen_controlplane.cluster.objects import Document, managers_of
from mizzen_controlplane.kit.problem import Conflict

GIT_OWNERS: Final = ("argocd", "flux", "kustomize-controller", "helm-controller", "fleet")
"""Beginnings of the field managers that write what a Git repository says."""


def require_writable(document: Document | None, manager: str, wanted: dict[str, Any]) -> None:
    """Raise Conflict with what to commit instead, where a Git owner other than the caller owns the object."""
    owners = managers_of(document) if document else ()
    owner = next((one for one in owners if one.startswith(GIT_OWNERS)), None)
    if owner is None or owner == manager:
        return
    raise Conflict(
        f"The deployment is owned by the field manager {owner!r}, which writes what a Git repository says. "
        "Commit the patch of this answer there instead.",
        code="owned_by_git",
        more={"field_manager": owner, "patch": wanted},
    )
