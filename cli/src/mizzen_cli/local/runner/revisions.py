"""Revisions as they were first rendered: kept on disk, so that later passes and later releases run just those."""

import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from mizzen_crds.v1alpha1.serving_runtime import LocalEnvironment
from mizzen_operator.revision import Revision

from mizzen_cli.local.json_file import read_json, write_json


@dataclass(frozen=True)
class KeptRevision:
    """A revision and what is needed to run it without looking at its runtime again."""

    revision: Revision
    created_at: datetime
    replicas: int
    """Replicas that it was last told to run."""
    runtime: str
    """Name of the runtime."""
    local: LocalEnvironment
    """How its engine's environment is made."""
    model_version: int | None = None

    def with_replicas(self, replicas: int) -> "KeptRevision":
        """The same, told to run so many."""
        return replace(self, replicas=replicas)


class RevisionFolder:
    """Revisions of all deployments: <root>/<namespace>/<name>/<deployment's uid>/<hash>.json."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def of(self, namespace: str, name: str, uid: str) -> dict[str, KeptRevision]:
        """Revisions of one deployment by hash. Those of an earlier object of that name are removed."""
        folder = self._root / namespace / name
        if not folder.is_dir():
            return {}
        for other in folder.iterdir():
            if other.name != uid:
                shutil.rmtree(other, ignore_errors=True)
        kept = (kept_from_json(read_json(file)) for file in sorted((folder / uid).glob("*.json")))
        return {each.revision.hash: each for each in kept if each}

    def keep(self, namespace: str, name: str, uid: str, kept: KeptRevision) -> None:
        """Write a revision; an equal file is left alone."""
        file = self._root / namespace / name / uid / f"{kept.revision.hash}.json"
        body = kept_as_json(kept)
        if read_json(file) != body:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_json(file, body)

    def forget(self, namespace: str, name: str, uid: str, revision: str) -> None:
        """Remove one revision."""
        (self._root / namespace / name / uid / f"{revision}.json").unlink(missing_ok=True)

    def forget_all(self, namespace: str, name: str) -> None:
        """The deployment is gone."""
        shutil.rmtree(self._root / namespace / name, ignore_errors=True)

    def deployments(self) -> Iterator[tuple[str, str]]:
        """Every deployment that has a revision here."""
        for folder in self._root.glob("*/*"):
            yield folder.parent.name, folder.name


def kept_as_json(kept: KeptRevision) -> dict[str, Any]:
    """For the file."""
    return {
        "revision": asdict(kept.revision),
        "created_at": kept.created_at.isoformat(),
        "replicas": kept.replicas,
        "runtime": kept.runtime,
        "local": kept.local.model_dump(mode="json", by_alias=True),
        "model_version": kept.model_version,
    }


def kept_from_json(body: Any) -> KeptRevision | None:
    """Read a file; None for one that was lost with a disk or that this release cannot read: it is rendered anew."""
    try:
        return KeptRevision(
            revision=Revision(**body["revision"]),
            created_at=datetime.fromisoformat(body["created_at"]),
            replicas=int(body["replicas"]),
            runtime=body["runtime"],
            local=LocalEnvironment.model_validate(body["local"]),
            model_version=body["model_version"],
        )
    except (KeyError, TypeError, ValueError):
        return None
