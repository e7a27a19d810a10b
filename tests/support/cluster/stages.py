"""Which stages does kwok play, so that nodes become ready and pods behave as a test wants?

A stage waits until its expressions hold for an object, and then writes a status or deletes it. The statuses are JSON
with marks that kwok's template language fills in.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from support.cluster.nodes import Behaviour, Failure

_Object = dict[str, Any]
_MARKS = {
    "@now": "{{ $now | Quote }}",
    "@name": "{{ .name | Quote }}",
    "@image": "{{ .image | Quote }}",
    "@type": "{{ .type | Quote }}",
    "@status": "{{ .status | Quote }}",
    "@reason": "{{ .reason | Quote }}",
    "@gate": "{{ .conditionType | Quote }}",
    "@node-name": "{{ .metadata.name | Quote }}",
    "@node-ip": "{{ NodeIP | Quote }}",
    "@host-ip": "{{ NodeIPWith .spec.nodeName | Quote }}",
    "@pod-ip": "{{ PodIPWith .spec.nodeName false .metadata.uid .metadata.name .metadata.namespace | Quote }}",
}
_READY = '.status.conditions.[] | select( .type == "Ready" ) | .status'
_KUBELET = ("kubeletVersion", "kubeProxyVersion", "containerRuntimeVersion", "kernelVersion")
_UNKNOWN = ("osImage", "bootID", "machineID", "systemUUID")


def stages(behaviours: Sequence[Behaviour]) -> list[_Object]:
    """kwok's configuration: the first behaviour whose label fits a pod counts; the last must fit all."""
    made = [_node_ready()]
    earlier: list[tuple[str, str]] = []
    for number, behaviour in enumerate(behaviours):
        made += _pod_stages(f"b{number}", behaviour, _fits(behaviour.label, earlier))
        if behaviour.label:
            earlier.append(behaviour.label)
    return made


def _fits(label: tuple[str, str] | None, earlier: Sequence[tuple[str, str]]) -> list[_Object]:
    wanted = [_expression(_label_path(label[0]), "In", label[1])] if label else []
    return wanted + [_expression(_label_path(name), "NotIn", value) for name, value in earlier]


def _label_path(name: str) -> str:
    return f'.metadata.labels["{name}"]'


def _pod_stages(prefix: str, behaviour: Behaviour, fits: list[_Object]) -> Iterator[_Object]:
    alive = [*fits, _expression(".metadata.deletionTimestamp", "DoesNotExist")]
    unstarted = [*alive, _expression(".status.podIP", "DoesNotExist")]
    started = [*alive, _expression(".metadata.name", "Exists"), _expression(".status.podIP", "Exists")]
    unready = _expression(_READY, "NotIn", "True")
    pending = _expression(".status.phase", "In", "Pending", "Running")
    yield _stage(f"{prefix}-start", "Pod", unstarted, _pod_status(ready=False, failure=behaviour.failure), 0.0)
    if behaviour.failure is None and behaviour.ready_after is not None:
        now = _pod_status(ready=True)
        yield _stage(f"{prefix}-ready", "Pod", [*started, unready, pending], now, behaviour.ready_after)
    dying = [*fits, _expression(".metadata.deletionTimestamp", "Exists")]
    yield _stage(f"{prefix}-gone", "Pod", dying, None, behaviour.gone_after)


def _expression(key: str, operator: str, *values: str) -> _Object:
    return {"key": key, "operator": operator, **({"values": list(values)} if values else {})}


def _stage(name: str, kind: str, expressions: list[_Object], status: str | None, seconds: float) -> _Object:
    """A stage: where the expressions hold for so long, write the status, or delete the pod where it is None."""
    then = {"delete": True} if status is None else {"statusTemplate": status}
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": name},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": kind},
            "selector": {"matchExpressions": expressions},
            **({"delay": {"durationMilliseconds": int(seconds * 1000)}} if seconds else {}),
            "next": then,
        },
    }


def _node_ready() -> _Object:
    condition = {"type": "@type", "status": "@status", "reason": "@reason", **_since("lastHeartbeatTime")}
    addresses = [{"type": "InternalIP", "address": "@node-ip"}, {"type": "Hostname", "address": "@node-name"}]
    told = {"architecture": "amd64", "operatingSystem": "linux"}
    told.update(dict.fromkeys(_KUBELET, "kwok"), **dict.fromkeys(_UNKNOWN, ""))
    status = {"addresses": addresses, "nodeInfo": told}
    template = _template(status, conditions=_each("NodeConditions", condition))
    return _stage("node-ready", "Node", [_expression(_READY, "NotIn", "True")], template, 0.0)


def _pod_status(ready: bool, failure: Failure | None = None) -> str:
    init_fails = failure is not None and failure.init
    facts = {"Initialized": not init_fails, "Ready": ready, "ContainersReady": ready}
    conditions = [{"type": name, "status": str(holds), **_since()} for name, holds in facts.items()]
    init = _crashing(failure) if failure and init_fails else _container(True, {"terminated": _end(0, "Completed")})
    running = {"waiting": {"reason": "PodInitializing"}} if init_fails else {"running": {"startedAt": "@now"}}
    main = _crashing(failure) if failure and not init_fails else _container(ready, running)
    status = {
        "phase": "Pending" if init_fails else "Running",
        "startTime": "@now",
        "hostIP": "@host-ip",
        "podIP": "@pod-ip",
        "podIPs": [{"ip": "@pod-ip"}],
    }
    gates = _each(".spec.readinessGates", {"type": "@gate", "status": "True"})
    return _template(
        status,
        conditions=f"[{', '.join(json.dumps(each) for each in conditions)}, {gates.removeprefix('[')}",
        initContainerStatuses=_each(".spec.initContainers", init),
        containerStatuses=_each(".spec.containers", main),
    )


def _crashing(failure: Failure) -> _Object:
    """A container that has ended three times, as the kubelet reports it."""
    ended = {**_end(failure.exit_code, failure.reason), "message": failure.message}
    waiting = {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container"}
    return {**_container(False, {"waiting": waiting}), "lastState": {"terminated": ended}, "restartCount": 3}


def _container(ready: bool, state: _Object) -> _Object:
    named = {"name": "@name", "image": "@image", "imageID": ""}
    return {**named, "ready": ready, "started": ready, "state": state, "restartCount": 0}


def _end(code: int, reason: str) -> _Object:
    return {"exitCode": code, "reason": reason, "startedAt": "@now", "finishedAt": "@now"}


def _since(*names: str) -> _Object:
    return dict.fromkeys(("lastTransitionTime", *names), "@now")


def _each(items: str, entry: _Object) -> str:
    """A list with one entry for each item of the template."""
    return f"[{{{{ range {items} }}}} {json.dumps(entry)}, {{{{ end }}}}]"


def _template(status: _Object, **lists: str) -> str:
    lines = [f"{name}: {json.dumps(value)}" for name, value in status.items()]
    lines += [f"{name}: {value}" for name, value in lists.items()]
    text = "\n".join(["{{ $now := Now }}", *lines])
    for mark, meaning in _MARKS.items():
        text = text.replace(json.dumps(mark), meaning)
    return text
