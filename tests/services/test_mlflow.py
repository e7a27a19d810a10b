"""Versions are imported from a real MLflow server: by number and alias, logged by a flavor or as plain artifacts."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.controlplane import ControlPlane, sqlite_controlplane
from support.mlflow_server import MlflowServer, mlflow_server
from support.pushing import onnx_model, safetensors_file

SECONDS = 60


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """The registry."""
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as running:
        yield running


@pytest.fixture(scope="module")
def plane(mlflow: MlflowServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane that trusts it."""
    with sqlite_controlplane(tmp_path_factory.mktemp("cp"), MIZZEN_EGRESS_TRUSTED=mlflow.host) as running:
        yield running


@pytest.fixture
def admin(plane: ControlPlane) -> Iterator[httpx.Client]:
    """The administrator's client."""
    with plane.client() as client:
        yield client


def imported(admin: httpx.Client, model: str, source: str, **fields: Any) -> dict[str, Any]:
    """The operation at its end."""
    admin.post("/api/v1/projects/default/models", json={"name": model})
    begun = admin.post(f"/api/v1/projects/default/models/{model}/versions:import", json={"source": source, **fields})
    assert begun.status_code == 202, begun.text
    deadline = time.monotonic() + SECONDS
    seen: dict[str, Any] = begun.json()
    while seen["state"] in ("QUEUED", "RUNNING") and not seen["reason"]:
        assert time.monotonic() < deadline, seen
        seen = admin.get(f"/api/v1/projects/default/operations/{begun.json()['id']}").json()
        time.sleep(0.05)
    return seen


def test_what_the_onnx_flavor_logged_is_imported_by_alias_and_by_number(
    mlflow: MlflowServer, admin: httpx.Client, tmp_path: Path
) -> None:
    (tmp_path / "model.onnx").write_bytes(onnx_model())
    logged = mlflow.log_onnx("house prices", tmp_path / "model.onnx", "champion")
    source = f"mlflow+http://{mlflow.host}/models:/house%20prices"
    by_alias = imported(admin, "by-alias", f"{source}@champion", files=["*.onnx"])
    assert by_alias["state"] == "SUCCEEDED", by_alias["reason"]
    assert by_alias["result"]["state"] == "READY"
    version = admin.get("/api/v1/projects/default/models/by-alias/versions/1").json()
    assert (version["files"][0]["path"], version["files"][0]["size"]) == ("model.onnx", len(onnx_model()))
    revision = f"house prices/{logged['version']} run {logged['run_id']}"
    assert version["lineage"]["origin"] == {"source": f"{source}@champion", "revision": revision}
    by_number = imported(admin, "by-number", f"{source}/{logged['version']}", files=["*.onnx"])
    assert by_number["result"]["digest"] == by_alias["result"]["digest"]


def test_artifacts_in_folders_are_walked_and_all_of_them_arrive(
    mlflow: MlflowServer, admin: httpx.Client, tmp_path: Path
) -> None:
    files = {
        "model.safetensors": safetensors_file({"w": [1 << 20]}),
        "deep/er/größe + 100%.txt": b"words",
        "config.json": b'{"architectures": []}',
    }
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    logged = mlflow.log_files("weights", tmp_path)
    done = imported(admin, "weights", f"mlflow+http://{mlflow.host}/models:/weights/{logged['version']}")
    assert done["state"] == "SUCCEEDED", done["reason"]
    version = admin.get("/api/v1/projects/default/models/weights/versions/1").json()
    assert {file["path"]: file["size"] for file in version["files"]} == {p: len(c) for p, c in files.items()}


def test_a_model_that_mlflow_does_not_have_ends_the_import_with_the_reason(
    mlflow: MlflowServer, admin: httpx.Client
) -> None:
    done = imported(admin, "missing", f"mlflow+http://{mlflow.host}/models:/nothing/1")
    assert (done["state"], done["code"]) == ("FAILED", "origin_not_found")
