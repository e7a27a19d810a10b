"""What variables, command and folders a container gets: the manifest's own, with mounts replaced by folders."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mizzen_cli.local.json_file import write_private
from mizzen_cli.local.pod.expansion import expand
from mizzen_cli.local.pod.manifest import Container, ManifestError, Pod, Variable
from mizzen_cli.local.pod.sandbox import (
    CONTAINER_MARKER,
    FOLDER_MARKER,
    POD_MARKER,
    PodSettings,
    Sandbox,
)
from mizzen_cli.local.spawn import STANDARD_PATH

PATH_SUFFIXES = ("_DIR", "_FILE")
PATH_NAMES = frozenset({"HOME", "TMPDIR"})


@dataclass(frozen=True)
class Invocation:
    """A container's command as it is executed."""

    argv: tuple[str, ...]
    environment: dict[str, str]
    working_dir: str


def prepare_volumes(pod: Pod, sandbox: Sandbox, settings: PodSettings) -> dict[str, Path]:
    """Make the folder of each volume; tokens are written 0600. Returns the folders by volume name."""
    folders = {}
    for volume in pod.volumes:
        if volume.kind == "claim":
            folder = Path(settings.claims) / pod.namespace / volume.claim
        else:
            folder = sandbox.volume(volume.name)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if volume.kind == "token":
            write_private(folder / volume.token_path, Path(settings.token_file).read_bytes())
        folders[volume.name] = folder
    return folders


def mount_folders(container: Container, folders: Mapping[str, Path]) -> dict[str, Path]:
    """Folder behind each mount path of a container, the deepest path first."""
    found = {}
    for mount in sorted(container.mounts, key=lambda each: len(each.path), reverse=True):
        if mount.volume not in folders:
            raise ManifestError(f"container {container.name} mounts volume {mount.volume}, which the pod does not have")
        folder = folders[mount.volume] / mount.sub_path
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        found[mount.path.rstrip("/") or "/"] = folder
    return found


def localized(value: str, mounts: Mapping[str, Path]) -> str:
    """A path below a mount, as a path on this machine; any other value stays as it is."""
    path = PurePosixPath(value)
    if not path.is_absolute() or any(Path(value).is_relative_to(folder) for folder in mounts.values()):
        return value
    for mount, folder in mounts.items():
        if path.is_relative_to(mount):
            return str(folder / path.relative_to(mount))
    return value


def downward(pod: Pod, address: str, field: str) -> str:
    """Value of a field of the downward API."""
    simple = {
        "metadata.name": pod.name,
        "metadata.namespace": pod.namespace,
        "metadata.uid": pod.uid,
        "spec.nodeName": os.uname().nodename,
        "spec.serviceAccountName": "default",
        "status.podIP": address,
        "status.podIPs": address,
        "status.hostIP": "127.0.0.1",
    }
    if field in simple:
        return simple[field]
    for prefix, values in (("metadata.labels", pod.labels), ("metadata.annotations", pod.annotations)):
        if field.startswith(f"{prefix}['") and field.endswith("']"):
            return values.get(field[len(prefix) + 2 : -2], "")
    raise ManifestError(f"fieldPath {field!r} cannot be carried out on one machine; known are {sorted(simple)}")


def variables_of(
    container: Container, pod: Pod, address: str, mounts: Mapping[str, Path], base: Mapping[str, str]
) -> dict[str, str]:
    """The container's variables in their order, each expanded with those before it."""
    values = dict(base)
    for variable in container.variables:
        values[variable.name] = value_of(variable, values, pod, address, mounts)
    return values


def value_of(variable: Variable, before: Mapping[str, str], pod: Pod, address: str, mounts: Mapping[str, Path]) -> str:
    """One variable's value; only names that promise a path are mapped to folders."""
    if variable.field is not None:
        return downward(pod, address, variable.field)
    value = expand(variable.value, before)
    is_path = variable.name.endswith(PATH_SUFFIXES) or variable.name in PATH_NAMES
    return localized(value, mounts) if is_path else value


def invocation(
    container: Container,
    pod: Pod,
    sandbox: Sandbox,
    settings: PodSettings,
    address: str,
    folders: Mapping[str, Path],
) -> Invocation:
    """Command, environment and working folder of a container. Raises ManifestError."""
    if not container.command:
        raise ManifestError(f"container {container.name} names no command: an image's own is not known here")
    mounts = mount_folders(container, folders)
    base = {
        "PATH": ":".join(filter(None, (settings.bin_folders.get(container.name), STANDARD_PATH))),
        "HOME": str(sandbox.root),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "MIZZEN_TERMINATION_LOG": str(sandbox.termination_message(container.name)),
        **settings.variables,
    }
    values = variables_of(container, pod, address, mounts, base)
    values |= {
        POD_MARKER: pod.uid,
        CONTAINER_MARKER: f"{pod.uid}/{container.name}",
        FOLDER_MARKER: settings.folder_id,
    }
    working_dir = localized(container.working_dir, mounts) if container.working_dir else str(sandbox.root)
    argv = tuple(expand(part, values) for part in container.command)
    return Invocation(argv, values, working_dir if Path(working_dir).is_dir() else str(sandbox.root))
