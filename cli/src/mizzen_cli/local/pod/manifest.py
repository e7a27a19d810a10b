"""What of a pod's manifest is carried out here: containers, environment, mounts, probes, the hook before the end."""

from dataclasses import dataclass
from typing import Any


class ManifestError(Exception):
    """The manifest asks for something that cannot be carried out on one machine."""


@dataclass(frozen=True)
class Variable:
    """One variable; `field` is a path of the downward API."""

    name: str
    value: str = ""
    field: str | None = None


@dataclass(frozen=True)
class Mount:
    """A volume in a container."""

    volume: str
    path: str
    sub_path: str = ""


@dataclass(frozen=True)
class Action:
    """An HTTP GET, a command, a connection or a pause; exactly one is set."""

    command: tuple[str, ...] = ()
    http_path: str | None = None
    http_headers: tuple[tuple[str, str], ...] = ()
    tcp: bool = False
    port: int | str = 0
    sleep_seconds: float | None = None


@dataclass(frozen=True)
class Probe:
    """An action tried again and again; `success` and `failure` count results in a row."""

    action: Action
    initial_delay: float = 0.0
    period: float = 10.0
    timeout: float = 1.0
    success: int = 1
    failure: int = 3


@dataclass(frozen=True)
class Container:
    """One container of a pod."""

    name: str
    image: str
    command: tuple[str, ...]
    variables: tuple[Variable, ...] = ()
    mounts: tuple[Mount, ...] = ()
    ports: tuple[tuple[str, int], ...] = ()
    working_dir: str | None = None
    startup: Probe | None = None
    readiness: Probe | None = None
    liveness: Probe | None = None
    pre_stop: Action | None = None

    def port(self, name_or_number: int | str) -> int:
        """Number of a port that a probe names."""
        if isinstance(name_or_number, int):
            return name_or_number
        for name, number in self.ports:
            if name == name_or_number:
                return number
        raise ManifestError(f"container {self.name} has no port named {name_or_number!r}")


@dataclass(frozen=True)
class Volume:
    """Storage of a pod."""

    name: str
    kind: str
    claim: str = ""
    token_path: str = ""


@dataclass(frozen=True)
class Pod:
    """A pod."""

    namespace: str
    name: str
    uid: str
    labels: dict[str, str]
    annotations: dict[str, str]
    init_containers: tuple[Container, ...]
    containers: tuple[Container, ...]
    volumes: tuple[Volume, ...]
    grace_seconds: float


MACHINES_OWN = "/tmp"  # noqa: S108 -- it names the mount that is left out, and nothing is written there
"""Not laid over: paths that a process of this machine is given may lie there, and TMPDIR leads engines elsewhere."""


def parse_pod(manifest: dict[str, Any]) -> Pod:
    """Read a Pod manifest. Raises ManifestError for what cannot be carried out here."""
    metadata, spec = manifest["metadata"], manifest["spec"]
    return Pod(
        namespace=metadata.get("namespace", "default"),
        name=metadata["name"],
        uid=metadata["uid"],
        labels=dict(metadata.get("labels") or {}),
        annotations=dict(metadata.get("annotations") or {}),
        init_containers=tuple(parse_container(each) for each in spec.get("initContainers") or ()),
        containers=tuple(parse_container(each) for each in spec["containers"]),
        volumes=tuple(parse_volume(each) for each in spec.get("volumes") or ()),
        grace_seconds=float(spec.get("terminationGracePeriodSeconds", 30)),
    )


def parse_container(body: dict[str, Any]) -> Container:
    """Read one container."""
    lifecycle = body.get("lifecycle") or {}
    return Container(
        name=body["name"],
        image=body.get("image", ""),
        command=(*(body.get("command") or ()), *(body.get("args") or ())),
        variables=tuple(parse_variable(each) for each in body.get("env") or ()),
        mounts=tuple(
            Mount(each["name"], each["mountPath"], each.get("subPath", ""))
            for each in body.get("volumeMounts") or ()
            if each["mountPath"] != MACHINES_OWN
        ),
        ports=tuple((each.get("name", ""), each["containerPort"]) for each in body.get("ports") or ()),
        working_dir=body.get("workingDir"),
        startup=parse_probe(body.get("startupProbe")),
        readiness=parse_probe(body.get("readinessProbe")),
        liveness=parse_probe(body.get("livenessProbe")),
        pre_stop=parse_action(lifecycle["preStop"]) if "preStop" in lifecycle else None,
    )


def parse_variable(body: dict[str, Any]) -> Variable:
    """Read one variable; only the downward API's fields are known as sources."""
    if "valueFrom" not in body:
        return Variable(body["name"], str(body.get("value", "")))
    field = (body["valueFrom"].get("fieldRef") or {}).get("fieldPath")
    if field is None:
        raise ManifestError(f"variable {body['name']}: only valueFrom.fieldRef can be carried out on one machine")
    return Variable(body["name"], field=field)


def parse_probe(body: dict[str, Any] | None) -> Probe | None:
    """Read a probe with Kubernetes' defaults."""
    if body is None:
        return None
    return Probe(
        action=parse_action(body),
        initial_delay=float(body.get("initialDelaySeconds", 0)),
        period=float(body.get("periodSeconds", 10)),
        timeout=float(body.get("timeoutSeconds", 1)),
        success=int(body.get("successThreshold", 1)),
        failure=int(body.get("failureThreshold", 3)),
    )


def parse_action(body: dict[str, Any]) -> Action:
    """Read what a probe or hook does."""
    if "exec" in body:
        return Action(command=tuple(body["exec"]["command"]))
    if "httpGet" in body:
        get = body["httpGet"]
        headers = tuple((each["name"], each["value"]) for each in get.get("httpHeaders") or ())
        return Action(http_path=get.get("path", "/"), http_headers=headers, port=get["port"])
    if "tcpSocket" in body:
        return Action(tcp=True, port=body["tcpSocket"]["port"])
    if "sleep" in body:
        return Action(sleep_seconds=float(body["sleep"]["seconds"]))
    raise ManifestError(f"a probe or hook of {sorted(body)} cannot be carried out on one machine; use httpGet or exec")


def parse_volume(body: dict[str, Any]) -> Volume:
    """Read one volume: emptyDir, persistentVolumeClaim, or a projected token."""
    name = body["name"]
    if "emptyDir" in body:
        return Volume(name, "empty")
    if "persistentVolumeClaim" in body:
        return Volume(name, "claim", claim=body["persistentVolumeClaim"]["claimName"])
    for source in (body.get("projected") or {}).get("sources") or ():
        if "serviceAccountToken" in source:
            return Volume(name, "token", token_path=source["serviceAccountToken"]["path"])
    kinds = sorted(body.keys() - {"name"})
    raise ManifestError(f"volume {name}: {kinds} cannot be carried out on one machine; use emptyDir or a claim")
