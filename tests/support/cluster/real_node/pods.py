"""Small pods and Services for a node: busybox with a script, as Pod Security "restricted" wants them."""

from collections.abc import Mapping

from support.cluster.objects import Object
from support.cluster.real_node.images import BOX

PORT = 8080
SERVE = f"mkdir /tmp/www && echo %s >/tmp/www/index.html && exec httpd -f -p {PORT} -h /tmp/www"
"""A script: an HTTP server whose page is the text put in."""
IDLE = "exec sleep infinity"
_USER = 65532


def pod(
    name: str,
    script: str,
    *,
    ready_on_port: int | None = None,
    resources: Mapping[str, str] | None = None,
    claim: str | None = None,
    image: str = BOX,
) -> Object:
    """A pod that runs a shell script; labelled `app: NAME`. A claim's volume is mounted at /data."""
    container: Object = {
        "name": "main",
        "image": image,
        "imagePullPolicy": "Never",
        "command": ["sh", "-c", script],
        "resources": {"limits": dict(resources or {})},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}] if claim else [],
    }
    if ready_on_port:
        container["readinessProbe"] = {"tcpSocket": {"port": ready_on_port}, "periodSeconds": 1}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "containers": [container],
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": _USER,
                "fsGroup": _USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}] if claim else [],
        },
    }


def web(name: str, text: str) -> Object:
    """A pod whose page is a text."""
    return pod(name, SERVE % text, ready_on_port=PORT)


def service(name: str, app: str, port: int = 80) -> Object:
    """A Service before the pods of an app."""
    ports = [{"name": "http", "port": port, "targetPort": PORT}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": app}, "ports": ports},
    }


def claim(name: str, size: str = "1Gi") -> Object:
    """A claim of the default storage class."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}},
    }
