"""What origins list, and what of it arrives: at one commit, held to what was promised, by name or pattern."""

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from mizzen_controlplane.egress.policy import policy_of
from mizzen_controlplane.egress.proxy import EgressProxy
from mizzen_controlplane.egress.resolution import resolver_of
from mizzen_controlplane.imports.fetching import Fetching
from mizzen_controlplane.imports.origins.hub import Hub
from mizzen_controlplane.imports.origins.mlflow import MlflowServer, model_named
from mizzen_controlplane.imports.source import source_of
from mizzen_controlplane.imports.web import Web, web_of
from mizzen_controlplane.imports.workshop import Workshop
from mizzen_controlplane.kit.problem import Problem
from mizzen_controlplane.operations.work import Report
from support.file_origin import FileOrigin, file_origin

COMMIT = "a" * 40
WEIGHTS = b"weights" * 1000


@asynccontextmanager
async def a_web() -> AsyncIterator[Web]:
    """Requests through a proxy that trusts 127.0.0.2."""
    proxy = EgressProxy(policy_of("127.0.0.2", ""), resolver_of(""))
    async with proxy.listening():
        with proxy.way_out("op_1") as way:
            async with web_of(way) as web:
                yield web


@asynccontextmanager
async def a_hub(*patterns: str, sha256: str = "") -> AsyncIterator[tuple[FileOrigin, Hub]]:
    """A server that speaks the hub's API of one repository, and what reads it through the way out."""
    large = {"sha256": sha256 or hashlib.sha256(WEIGHTS).hexdigest()}
    listed = [
        {"rfilename": "sub/model.safetensors", "size": len(WEIGHTS), "lfs": large},
        {"rfilename": "README.md", "size": 2},
        {"rfilename": ".gitattributes", "size": 1},
        {"rfilename": "tf_model.h5", "size": 10**12},
    ]
    said = json.dumps({"sha": COMMIT, "siblings": listed}).encode()
    async with file_origin() as blobs, file_origin() as hub:
        hub.answers = lambda path, _: (200, said) if path.startswith("/api/models/") else None
        hub.redirects[f"/Group/Name/resolve/{COMMIT}/sub/model.safetensors"] = blobs.url("/blob")
        blobs.files["/blob"], hub.files[f"/Group/Name/resolve/{COMMIT}/README.md"] = WEIGHTS, b"hi"
        async with a_web() as web:
            yield hub, Hub(web, f"http://{hub.host}", source_of("hf://Group/Name@v1.0"), patterns)


async def test_a_repository_is_fetched_at_the_commit_that_its_revision_was(tmp_path: Path) -> None:
    async with a_hub("*.safetensors", "README.md") as (hub, reader):
        listing = await reader.listing()
        assert hub.asked[0][0] == "/api/models/Group/Name/revision/v1.0?blobs=true"
        assert (listing.revision, [file.path for file in listing.files]) == (
            COMMIT, ["sub/model.safetensors", "README.md"],
        )  # fmt: skip
        fetching = Fetching(reader, Workshop(tmp_path), Report(), 10**6)
        assert [(await fetching.fetch(file)).size for file in listing.files] == [len(WEIGHTS), 2]
        assert fetching.report.done_bytes == len(WEIGHTS) + 2
        asked = len(hub.asked)
        await fetching.fetch(listing.files[0])
        assert len(hub.asked) == asked, "what is here whole is not asked for"


async def test_without_patterns_all_but_hidden_files_are_meant_and_a_pattern_means_some() -> None:
    async with a_hub() as (_, reader):
        assert ".gitattributes" not in [file.path for file in (await reader.listing()).files]
    async with a_hub("*.gguf") as (_, reader):
        with pytest.raises(Problem, match=r"\*\.gguf"):
            await reader.listing()


async def test_bytes_of_another_digest_than_the_hub_tells_are_refused(tmp_path: Path) -> None:
    async with a_hub("*.safetensors", sha256="0" * 64) as (_, reader):
        (file,) = (await reader.listing()).files
        with pytest.raises(Problem, match="was promised"):
            await Fetching(reader, Workshop(tmp_path), Report(), 10**6).fetch(file)


async def test_more_bytes_than_an_import_may_have_are_not_taken(tmp_path: Path) -> None:
    async with a_hub("*.safetensors") as (_, reader):
        (file,) = (await reader.listing()).files
        with pytest.raises(Problem, match="MIZZEN_IMPORT_MAX_BYTES"):
            await Fetching(reader, Workshop(tmp_path), Report(), 100).fetch(file)


ANSWERS: dict[str, Any] = {
    "registered-models/alias": {"model_version": {"name": "house", "version": "3", "run_id": "r1"}},
    "model-versions/get-download-uri": {"artifact_uri": "mlflow-artifacts:/1/r1/model"},
}
FOLDERS = {
    "1/r1/model": [{"path": "data", "is_dir": True}, {"path": "MLmodel", "file_size": 2}],
    "1/r1/model/data": [{"path": "model.onnx", "file_size": len(WEIGHTS)}],
}


def mlflow_says(path: str, _headers: dict[str, str]) -> tuple[int, bytes] | None:
    """Answers as the server of MLflow gives them; None for the files themselves."""
    url = urlsplit(path)
    if url.path.endswith("/mlflow-artifacts/artifacts"):
        return 200, json.dumps({"files": FOLDERS[parse_qs(url.query)["path"][0]]}).encode()
    said = ANSWERS.get(url.path.removeprefix("/api/2.0/mlflow/"))
    return (200, json.dumps(said).encode()) if said else None


async def test_a_version_of_mlflow_is_walked_and_its_files_fetched(tmp_path: Path) -> None:
    files = "/api/2.0/mlflow-artifacts/artifacts/1/r1/model"
    held = {f"{files}/MLmodel": b"{}", f"{files}/data/model.onnx": WEIGHTS}
    async with file_origin(answers=mlflow_says, files=held) as server, a_web() as web:
        reader = MlflowServer(web, source_of(f"mlflow+http://{server.host}/models:/house@champion"), [])
        listing = await reader.listing()
        assert listing.revision == "house/3 run r1"
        assert sorted(file.path for file in listing.files) == ["MLmodel", "data/model.onnx"]
        fetching = Fetching(reader, Workshop(tmp_path), Report(), 10**6)
        assert sorted([(await fetching.fetch(file)).size for file in listing.files]) == [2, len(WEIGHTS)]


def test_a_name_with_a_space_is_written_as_urls_write_it_and_asked_for_as_it_is() -> None:
    assert model_named(source_of("mlflow://a.test/models:/house%20prices/3")) == ("house prices", "3", "")
    assert model_named(source_of("mlflow://a.test/models:/house@the%20best")) == ("house", "", "the best")


async def test_artifacts_that_mlflow_does_not_serve_itself_are_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ANSWERS, "model-versions/get-download-uri", {"artifact_uri": "s3://bucket/1/r1"})
    async with file_origin(answers=mlflow_says) as server, a_web() as web:
        reader = MlflowServer(web, source_of(f"mlflow+http://{server.host}/models:/house@champion"), [])
        with pytest.raises(Problem, match="--serve-artifacts"):
            await reader.listing()
