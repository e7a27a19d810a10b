"""What do the verbs write? Each is a merge patch of the manifest, computed from the object as it is."""

import json
from datetime import datetime
from typing import Any, Final

from mizzen_crds.v1alpha1.labels import PROMOTE, RESTARTED_AT

from mizzen_controlplane.cluster.objects import Document, timestamp
from mizzen_controlplane.kit.problem import Conflict

Patch = dict[str, Any]
LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
"""What `kubectl apply` noted of the manifest: its next call takes away what stands there and not in the manifest."""


def scale(document: Document, replicas: int) -> Patch:
    """Another number of replicas; raises Conflict where the autoscaler's bounds are set."""
    if document["spec"].get("autoscaling"):
        raise Conflict(
            "spec.autoscaling bounds the number of replicas, so it is not scaled by hand: change "
            "spec.autoscaling.minReplicas and maxReplicas, or remove spec.autoscaling first.",
            code="autoscaling_active",
        )
    return {"spec": {"replicas": replicas}}


def rollout_mode(mode: str) -> Patch:
    """Paused or Active."""
    return {"spec": {"rollout": {"mode": mode}}}


def restart(now: datetime) -> Patch:
    """Every replica anew, as a rollout."""
    return _annotation(RESTARTED_AT, timestamp(now))


def promote(document: Document) -> Patch:
    """The present canary step may pass; raises Conflict where no step waits, or none may be taken."""
    status = document.get("status") or {}
    step = (status.get("rollout") or {}).get("step")
    under_way = [
        revision for revision in status.get("revisions", []) if revision.get("state") in ("Pending", "Progressing")
    ]
    if step is None or not under_way:
        raise Conflict(
            "No canary step is under way, so there is nothing to promote. See status.rollout; steps are made by "
            "spec.rollout.strategy Canary.",
            code="nothing_to_promote",
        )
    if (document["spec"].get("rollout") or {}).get("mode") == "Paused":
        raise Conflict(
            "spec.rollout.mode is Paused, so no step passes: set it to Active, then promote.",
            code="rollout_paused",
        )
    return _annotation(PROMOTE, f"{under_way[0]['hash']}/{step}")


def rollback(document: Document, version: int | None) -> Patch:
    """The version that served before, pinned; raises Conflict where there is none."""
    reference = document["spec"].get("model", {}).get("versionRef")
    if not reference:
        raise Conflict(
            "spec.model names no version of the registry (no versionRef), so there is no version to go back to. "
            "Apply the earlier manifest.",
            code="no_version_reference",
        )
    pinned = {"model": reference["model"], "version": version or _previous_version(document, reference)}
    patch: Patch = {"spec": {"model": {"versionRef": pinned | {"alias": None}}}}
    noted = _noted(document, pinned)
    return patch if noted is None else patch | _annotation(LAST_APPLIED, noted)


def _noted(document: Document, pinned: dict[str, Any]) -> str | None:
    """Return kubectl's note with this reference: with a manifest that names an alias, kubectl removes the version."""
    text = ((document.get("metadata") or {}).get("annotations") or {}).get(LAST_APPLIED)
    try:
        noted = json.loads(text or "")
        noted["spec"]["model"]["versionRef"] = pinned
    except (ValueError, KeyError, TypeError):  # nobody uses kubectl so, or the note is another's
        return None
    return json.dumps(noted, separators=(",", ":"), ensure_ascii=False) + "\n"


def _previous_version(document: Document, reference: dict[str, Any]) -> int:
    status = document.get("status") or {}
    revisions = status.get("revisions", [])
    wanted = (status.get("resolvedModel") or {}).get("version") or reference.get("version")
    if revisions and wanted is None:
        wanted = revisions[0].get("modelVersion")
    served = [
        revision["modelVersion"]
        for state in ("Serving", "Retiring", "Retired")
        for revision in revisions
        if revision.get("state") == state and revision.get("modelVersion") not in (None, wanted)
    ]
    if not served:
        raise Conflict(
            f"No earlier version of {reference['model']} has served here (status.revisions), so name the version.",
            code="nothing_to_roll_back_to",
        )
    return int(served[0])


def _annotation(name: str, value: str) -> Patch:
    return {"metadata": {"annotations": {name: value}}}
