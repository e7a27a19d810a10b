"""A person gets a Kubernetes to play with by one command, and is rid of it by another."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[3]
PLAYGROUND = [sys.executable, str(ROOT / "tools" / "cluster" / "playground.py")]
SHELL = f"eval $({' '.join(PLAYGROUND)} up) && kubectl wait --for=condition=Ready node --all --timeout=60s -o name"


STORY = """
eval $({up} --mizzen) && mizzen projects create team >&2 &&
kubectl wait --for=condition=Ready projects.mizzen.dev/team --timeout=60s >&2 &&
mizzen apply --project team -f {example} >&2 &&
kubectl wait --namespace team --for=condition=Ready modeldeployments.mizzen.dev/chat --timeout=60s
"""


@pytest.mark.timeout(240)
def test_with_mizzen_beside_it_a_deployment_becomes_ready_and_all_goes_with_it(tmp_path: Path) -> None:
    environment = {**os.environ, "MIZZEN_CLUSTER_STATE": str(tmp_path), "MIZZEN_CONFIG": str(tmp_path / "config")}
    story = STORY.format(up=" ".join([*PLAYGROUND, "up"]), example=ROOT / "examples" / "simulated" / "chat.yaml")

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)

    try:
        told = run("sh", "-c", story)
        assert told.stdout.endswith("condition met\n"), told.stdout + told.stderr
        held = psutil.Process(json.loads((tmp_path / "state.json").read_text())["pid"]).children(recursive=True)
        assert len([each for each in held if "mizzen_" in " ".join(each.cmdline())]) == 3
    finally:
        run(*PLAYGROUND, "down")
    assert not any(each.is_running() for each in held)
    assert not (tmp_path / "mizzen").exists()


@pytest.mark.timeout(240)
def test_a_shell_that_evaluates_what_up_prints_has_a_cluster_until_down(tmp_path: Path) -> None:
    environment = {**os.environ, "MIZZEN_CLUSTER_STATE": str(tmp_path)}

    def act(*command: str) -> str:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    try:
        assert act("sh", "-c", SHELL).split() == ["node/node-0", "node/node-1", "node/node-2"]
        state = json.loads((tmp_path / "state.json").read_text())
        assert "export KUBECONFIG=" in act(*PLAYGROUND, "up")
        assert json.loads((tmp_path / "state.json").read_text()) == state, "the one that runs is found, none is added"
        held = psutil.Process(state["pid"]).children(recursive=True)
        assert {"etcd", "kube-apiserver", "kwok"} <= {each.name() for each in held}
    finally:
        act(*PLAYGROUND, "down")
    assert not any(each.is_running() for each in held)
    assert not (tmp_path / "kubeconfig").exists()
    act(*PLAYGROUND, "down")
