"""Where is what a container printed? The commands that remedies name: for a cluster, and for one machine."""

from mizzen_crds.v1alpha1.labels import DEPLOYMENT


def logs_of(container: str) -> str:
    """Return the commands for a container of a deployment's pods; NAMESPACE, NAME and CONTAINER stand for the like."""
    in_cluster = f"kubectl logs -n NAMESPACE -l {DEPLOYMENT}=NAME -c {container} --prefix --tail=50"
    return f"`{in_cluster}` (on one machine: `mizzen logs NAME -c {container}`)"
