"""A real MLflow server for tests, in an environment of its own in the cache folder; it serves artifacts itself."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.toolchain import cache_folder
from support.free_ports import free_port
from support.gateway import wait_for_http

VERSION = "3.17.2"
PACKAGES = (f"mlflow=={VERSION}", "onnx==1.23.2", "onnxruntime==1.32.0")
ROOT = Path(__file__).parents[2]
ADDRESS = "127.0.0.1"
LOG_ONNX = """
import json, sys
import mlflow, onnx
asked = json.load(sys.stdin)
mlflow.set_experiment("houses")
with mlflow.start_run() as run:
    mlflow.onnx.log_model(onnx.load(asked["path"]), name="model", registered_model_name=asked["name"],
                          pip_requirements=["onnx"])
client = mlflow.MlflowClient()
version = client.search_model_versions("name='%s'" % asked["name"])[0].version
client.set_registered_model_alias(asked["name"], asked["alias"], version)
print(json.dumps({"version": version, "run_id": run.info.run_id}))
"""
LOG_FILES = """
import json, sys
import mlflow
asked = json.load(sys.stdin)
with mlflow.start_run() as run:
    mlflow.log_artifacts(asked["path"], "weights")
client = mlflow.MlflowClient()
client.create_registered_model(asked["name"])
made = client.create_model_version(asked["name"], run.info.artifact_uri + "/weights", run.info.run_id)
print(json.dumps({"version": made.version, "run_id": run.info.run_id}))
"""


def installed() -> Path:
    """The folder of its programs; made once. RuntimeError where it cannot be had."""
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    folder = cache_folder() / "mlflow" / f"{VERSION}-python{python}"
    whole = folder / ".whole"
    if not whole.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        uv = shutil.which("uv") or str(ROOT / ".uv/bin/uv")
        for command in (
            [uv, "venv", "--quiet", "--python", sys.executable, str(folder)],
            [uv, "pip", "install", "--quiet", "--python", str(folder / "bin/python"), *PACKAGES],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise RuntimeError(f"MLflow cannot be had: {done.stderr[-2000:]}")
        whole.touch()
    return folder / "bin"


@dataclass(frozen=True)
class MlflowServer:
    """One that runs."""

    programs: Path
    host: str

    def log_onnx(self, name: str, path: Path, alias: str) -> dict[str, Any]:
        """What a person does: log a model by MLflow's own flavor, register it, and give it an alias."""
        return self._client(LOG_ONNX, {"name": name, "path": str(path), "alias": alias})

    def log_files(self, name: str, folder: Path) -> dict[str, Any]:
        """Files as artifacts of a run, and a version that points at them, as before MLflow 3."""
        return self._client(LOG_FILES, {"name": name, "path": str(folder)})

    def _client(self, script: str, asked: dict[str, str]) -> dict[str, Any]:
        done = subprocess.run(
            [self.programs / "python", "-c", script], input=json.dumps(asked), capture_output=True, text=True,
            check=False, cwd=self.programs, timeout=300,
            env=_environment() | {"MLFLOW_TRACKING_URI": f"http://{self.host}"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-4000:]
        said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return said


@contextmanager
def mlflow_server(folder: Path) -> Iterator[MlflowServer]:
    """A server of the registry and of artifacts for the length of a `with`, on files below `folder`."""
    programs, port = installed(), free_port()
    command = [
        str(programs / "mlflow"), "server", f"--host={ADDRESS}", f"--port={port}", "--workers=1",
        f"--backend-store-uri=sqlite:///{folder}/registry.db", f"--artifacts-destination={folder}/artifacts",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=_environment(), stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_for_http(f"http://{ADDRESS}:{port}/health", process, 300)
        yield MlflowServer(programs, f"{ADDRESS}:{port}")
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # its workers are processes of their own
        process.wait()


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "PYTHON", "MIZZEN_"))}
    return kept | {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "GIT_PYTHON_REFRESH": "quiet"}
