"""The definitions of earlier releases can be installed, and those of today over them, with what was stored kept."""

from pathlib import Path

import pytest
from support.cluster.cluster import start
from support.definitions import ROOT

RELEASES = sorted(path for path in (ROOT / "tests/releases").iterdir() if (path / "crds").is_dir())
STORED = {
    "apiVersion": "mizzen.dev/v1alpha1",
    "kind": "ModelDeployment",
    "metadata": {"name": "stored", "namespace": "default"},
    "spec": {"model": {"uri": "hf://org/repo@main"}, "engine": {"type": "Simulated"}, "replicas": 3},
}


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_definitions_of_today_go_over_those_of_a_release(release: Path) -> None:
    with start(definitions=False) as cluster:
        for folder in (release / "crds", ROOT / "crds"):
            cluster.kubectl("apply", "--server-side", "--filename", str(folder))
            cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
            if cluster.objects.get("ModelDeployment", "stored") is None:
                cluster.objects.create(STORED)
        kept = cluster.objects.get("ModelDeployment", "stored")
        assert kept is not None
        assert kept["spec"]["replicas"] == 3
        cluster.objects.merge("ModelDeployment", "stored", {"spec": {"replicas": 4}})
