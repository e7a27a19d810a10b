"""How does a test use the charts? The real helm, on a folder of its own, against a cluster or none."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from cluster.build import built
from support.cluster.cluster import Cluster

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "mizzen"
DEFINITIONS = ROOT / "charts" / "mizzen-crds"
NAMESPACE = "mizzen-system"
RELEASE = "mizzen"


class HelmRefusedError(AssertionError):
    """helm ended with an error; the text is what it said."""


def helm(*arguments: str | Path, home: Path, kubeconfig: Path | None = None) -> str:
    """What helm prints. Raises HelmRefusedError."""
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "KUBECONFIG": str(kubeconfig or home / "none")}
    done = subprocess.run(
        [built("helm")["helm"], *arguments], capture_output=True, text=True, timeout=300, env=environment, check=False
    )
    if done.returncode:
        raise HelmRefusedError(f"helm {' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout


def rendered(home: Path, *arguments: str | Path) -> str:
    """The chart mizzen as helm renders it, without a cluster."""
    return helm("template", RELEASE, CHART, "--namespace", NAMESPACE, *arguments, home=home)


def documents(text: str) -> list[dict[str, Any]]:
    """Every object of a render."""
    return [document for document in yaml.safe_load_all(text) if document]


class Installation:
    """The chart on a cluster."""

    def __init__(self, cluster: Cluster, home: Path) -> None:
        self.cluster = cluster
        self.home = home

    def helm(self, *arguments: str | Path) -> str:
        """What helm prints. Raises HelmRefusedError."""
        return helm(*arguments, "--namespace", NAMESPACE, home=self.home, kubeconfig=self.cluster.kubeconfig)

    def install(self, *arguments: str | Path, definitions: bool = True) -> str:
        """Install both charts, as docs/how-to/install.md does."""
        if definitions:
            self.helm("install", "mizzen-crds", DEFINITIONS, "--create-namespace", "--wait", "--timeout", "60s")
        return self.helm("install", RELEASE, CHART, "--create-namespace", *arguments)

    def upgrade(self, *arguments: str | Path) -> str:
        """Upgrade."""
        return self.helm("upgrade", RELEASE, CHART, *arguments)

    def first_start(self, folder: Path) -> None:
        """What the control plane's pod runs before each start, with no more rights than its account has."""
        kubeconfig = self.cluster.service_account_kubeconfig(NAMESPACE, "mizzen-controlplane")
        environment = {
            "KUBECONFIG": str(kubeconfig),
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "MIZZEN_NAMESPACE": NAMESPACE,
            "MIZZEN_SECRET_NAME": "mizzen-secrets",
            "MIZZEN_SECRETS_DIR": str(folder / "secrets"),
        }
        command = [sys.executable, "-m", "mizzen_controlplane", "secrets"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr

    def uninstall(self) -> str:
        """Uninstall the programs."""
        return self.helm("uninstall", RELEASE, "--wait", "--timeout", "60s")


def pod_templates(rendering: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Pod templates of a render, with the workload's namespace and name."""
    return [
        {"kind": "Pod", "apiVersion": "v1", **each["spec"]["template"], "of": each["metadata"]["name"]}
        for each in rendering
        if each["kind"] in ("Deployment", "StatefulSet")
    ]
