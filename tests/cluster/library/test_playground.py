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
