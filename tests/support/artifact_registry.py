"""A real OCI registry for tests: Distribution, from Debian's package, with a name and password before everything."""

import hashlib
import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml
from support.debian_programs import unpacked
from support.free_ports import free_port

USER, PASSWORD = "reader", "a-password-of-the-tests"
EMPTY = b"{}"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_HASH = "print crypt($ARGV[0], q($2y$05$abcdefghijklmnopqrstuu))"
"""Of bcrypt, the one kind that the registry reads; perl is a part of every Debian."""


@dataclass(frozen=True)
class ArtifactRegistry:
    """One that runs."""

    host: str
    client: httpx.Client

    def push(self, repository: str, tag: str, files: Mapping[str, bytes]) -> str:
        """An artifact as `oras push` makes it, each file a layer; returns its digest."""
        layers = [
            {
                "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": self._blob(repository, content),
                "size": len(content), "annotations": {"org.opencontainers.image.title": path},
            }
            for path, content in files.items()
        ]  # fmt: skip
        empty = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": self._blob(repository, EMPTY), "size": 2}
        manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": empty, "layers": layers})
        put = self.client.put(f"/v2/{repository}/manifests/{tag}", content=manifest, headers={"Content-Type": MANIFEST})
        assert put.status_code == 201, put.text
        return str(put.headers["Docker-Content-Digest"])

    def _blob(self, repository: str, content: bytes) -> str:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        begun = self.client.post(f"/v2/{repository}/blobs/uploads/")
        put = self.client.put(
            httpx.URL(begun.headers["Location"]).copy_merge_params({"digest": digest}), content=content
        )
        assert put.status_code == 201, put.text
        return digest


@contextmanager
def artifact_registry(folder: Path) -> Iterator[ArtifactRegistry]:
    """A registry for the length of a `with`, on files below `folder`."""
    program = unpacked("docker-registry") / "usr/bin/docker-registry"
    host, hashed = f"127.0.0.1:{free_port()}", subprocess.check_output(["perl", "-e", _HASH, PASSWORD], text=True)
    (folder / "passwords").write_text(f"{USER}:{hashed}\n")
    config = {
        "version": 0.1, "log": {"level": "warn"}, "http": {"addr": host},
        "storage": {"filesystem": {"rootdirectory": str(folder / "store")}},
        "auth": {"htpasswd": {"realm": "tests", "path": str(folder / "passwords")}},
    }  # fmt: skip
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "serve", folder / "config.yaml"], stdout=log, stderr=log)
    client = httpx.Client(base_url=f"http://{host}", auth=(USER, PASSWORD), trust_env=False, timeout=60)
    try:
        _await_answer(client, process, folder / "log")
        yield ArtifactRegistry(host, client)
    finally:
        client.close()
        process.kill()
        process.wait()


def _await_answer(client: httpx.Client, process: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text()
        try:
            if client.get("/v2/").status_code == 200:
                return
        except httpx.TransportError:
            pass
        try:
            process.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError("the registry did not start: " + log.read_text())
