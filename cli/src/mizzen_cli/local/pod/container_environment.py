"""What variables, command and folders a container gets: the manifest's own, with mounts replaced by folders."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mizzen_cli.local.json_file import write_private
from mizzen_cli.local.pod.containment import below, one_name
from mizzen_cli.local.pod.expansion import expand
from mizzen_cli.local.pod.manifest import Container, ManifestError, Pod, Variable
from mizzen_cli.local.pod.sandbox import (
    CONTAINER_MARKER,
    FOLDER_MARKER,
    POD_MARKER,
    PodSettings,
    Sandbox,
)
from mizzen_cli.local.pod.short_folder import short_folder
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
    """Make the folder of each volume; tokens are written 0600. Returns the folders by volume name.

    Raises ManifestError for a name that leads out of the folder of claims or of the pod.
    """
    folders = {}
    for volume in pod.volumes:
        if volume.kind == "claim":
            claims = Path(settings.claims) / one_name(pod.namespace, "namespace")
            folder = claims / one_name(volume.claim, f"volume {volume.name}: claim")
        else:
            folder = sandbox.volume(one_name(volume.name, "volume"))
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if volume.kind == "token":
            place = below(folder, volume.token_path, f"volume {volume.name}: path")
            write_private(place, Path(settings.token_file).read_bytes())
        folders[volume.name] = folder
    return folders


def remove_tokens(pod: Pod, folders: Mapping[str, Path], still_to_run: Iterable[Container]) -> None:
    """Remove the tokens that no container which still runs mounts; `prepare_volumes` writes them again."""
    mounted = {mount.volume for container in still_to_run for mount in container.mounts}
    for volume in pod.volumes:
        if volume.kind == "token" and volume.name not in mounted:
            below(folders[volume.name], volume.token_path, f"volume {volume.name}: path").unlink(missing_ok=True)


def mount_folders(container: Container, folders: Mapping[str, Path]) -> dict[str, Path]:
    """Folder behind each mount path of a container, the deepest path first."""
    found = {}
    for mount in sorted(container.mounts, key=lambda each: len(each.path), reverse=True):
        if mount.volume not in folders:
            raise ManifestError(f"container {container.name} mounts volume {mount.volume}, which the pod does not have")
        folder = below(folders[mount.volume], mount.sub_path, f"container {container.name}: subPath")
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        found[mount.path.rstrip("/") or "/"] = folder
    return found


def localized(value: str, mounts: Mapping[str, Path]) -> str:
    """A path below a mount, as a path on this machine; any other value stays as it is.

    Raises ManifestError for one that begins below a mount and leads out of it.
    """
    path = PurePosixPath(value)
    if not path.is_absolute():
        return value
    for folder in mounts.values():
        if path.is_relative_to(folder):
            return str(below(folder, path.relative_to(folder), "path"))
    for mount, folder in mounts.items():
        if path.is_relative_to(mount):
            return str(below(folder, path.relative_to(mount), f"path below {mount}"))
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
    if "TMPDIR" in values:
        values["TMPDIR"] = str(short_folder(Path(values["TMPDIR"]), sandbox.root))
    values |= {
        POD_MARKER: pod.uid,
        CONTAINER_MARKER: f"{pod.uid}/{container.name}",
        FOLDER_MARKER: settings.folder_id,
    }
    working_dir = localized(container.working_dir, mounts) if container.working_dir else str(sandbox.root)
    argv = tuple(expand(part, values) for part in container.command)
    return Invocation(argv, values, working_dir if Path(working_dir).is_dir() else str(sandbox.root))
