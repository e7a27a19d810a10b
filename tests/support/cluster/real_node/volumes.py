"""Where do a pod's persistent volumes come from? Folders of the node, offered as the default storage class.

They are there before anyone asks: a claim is bound when its first pod is scheduled. A volume is used once.
"""

from pathlib import Path

from support.cluster.objects import Object, Objects
from support.cluster.real_node.settings import NODE

STORAGE_CLASS = "folders"
SIZE = "20Gi"


def storage_class() -> Object:
    """The default class."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": STORAGE_CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
        "reclaimPolicy": "Retain",
    }


def volume(path: Path) -> Object:
    """A folder as a volume."""
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": path.name},
        "spec": {
            "capacity": {"storage": SIZE},
            "accessModes": ["ReadWriteOnce", "ReadWriteMany", "ReadOnlyMany"],
            "storageClassName": STORAGE_CLASS,
            "persistentVolumeReclaimPolicy": "Retain",
            "local": {"path": str(path)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    }


def offer(objects: Objects, folder: Path, count: int) -> None:
    """Make so many more volumes below a folder."""
    folder.mkdir(exist_ok=True)
    first = len(list(folder.iterdir()))
    for number in range(first, first + count):
        path = folder / f"volume-{number:03}"
        path.mkdir()
        path.chmod(0o777)  # whoever the pod runs as
        objects.create(volume(path))
