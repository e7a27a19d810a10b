"""Where does this process find its API server? In a cluster the pod's own files say it, elsewhere KUBECONFIG."""

import os
import ssl
from collections.abc import Mapping
from pathlib import Path

from mizzen_kube.connection import Connection, TokenFile

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def in_cluster(environment: Mapping[str, str] = os.environ, folder: Path = SERVICE_ACCOUNT) -> Connection | None:
    """Return the connection of a pod's service account; None outside a cluster."""
    host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT", "443")
    if not host or not (folder / "token").exists():
        return None
    authority = folder / "ca.crt"
    address = f"[{host}]" if ":" in host else host
    return Connection(
        server=f"https://{address}:{port}",
        credentials=TokenFile(folder / "token"),
        tls=ssl.create_default_context(cafile=authority),
        ca_file=authority,
    )


def own_namespace(default: str, folder: Path = SERVICE_ACCOUNT) -> str:
    """Return the namespace that this pod runs in; `default` outside a cluster."""
    try:
        return (folder / "namespace").read_text().strip() or default
    except OSError:
        return default


async def from_environment(environment: Mapping[str, str] = os.environ) -> Connection:
    """Return the connection of the pod, or else of KUBECONFIG (~/.kube/config), its current context."""
    if environment.get("KUBECONFIG") is None and (found := in_cluster(environment)):
        return found
    from mizzen_kube.kubeconfig import from_kubeconfig  # here, because it costs 27 MB that a pod never needs

    return await from_kubeconfig(environment.get("KUBECONFIG"))
