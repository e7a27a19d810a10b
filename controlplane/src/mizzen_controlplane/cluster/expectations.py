"""Was a write made for the object that is there? The same answer of every store."""

from mizzen_controlplane.cluster.objects import Document, ObjectKey, Wanted
from mizzen_controlplane.kit.problem import Conflict


def require_expected(key: ObjectKey, present: Document | None, wanted: Wanted) -> None:
    """Refuse a write that was made for another object or an older state than the present one; raises Conflict."""
    metadata = present["metadata"] if present else {}
    uid, version = metadata.get("uid", ""), metadata.get("resourceVersion", "")
    if wanted.uid and uid != wanted.uid:
        raise other_object(key, uid, wanted.uid)
    if wanted.resource_version and version != wanted.resource_version:
        raise Conflict(
            f"{key} is at resourceVersion {version or 'none (deleted)'}, the write was made for "
            f"{wanted.resource_version}. Read it again and repeat the write, or leave metadata.resourceVersion out.",
            code="stale_resource_version",
        )


def other_object(key: ObjectKey, uid: str, wanted: str) -> Conflict:
    """The refusal of a write to an object of another uid; an empty one says that there is none."""
    present = f"has uid {uid}" if uid else "does not exist any more"
    return Conflict(f"{key} {present}; the write was meant for uid {wanted}. List again.", code="uid_mismatch")
