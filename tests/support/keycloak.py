"""A real Keycloak, from its zip in Maven Central, kept in the cache folder; it needs Java 17."""

import json
import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from cluster.toolchain import cache_folder
from support.free_ports import free_port
from support.gateway import wait_for_http

VERSION = "26.4.2"
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
ADMIN_PASSWORD = "keycloak-admin"


@dataclass(frozen=True)
class Keycloak:
    """One that runs."""

    url: str
    realm: str

    @property
    def issuer(self) -> str:
        """Of its realm."""
        return f"{self.url}/realms/{self.realm}"

    def administer(self, method: str, path: str, **options: Any) -> httpx.Response:
        """What an administrator of the realm does."""
        form = {"grant_type": "password", "client_id": "admin-cli", "username": "admin", "password": ADMIN_PASSWORD}
        with httpx.Client(trust_env=False, timeout=60) as client:
            asked = client.post(f"{self.url}/realms/master/protocol/openid-connect/token", data=form)
            headers = {"Authorization": f"Bearer {asked.json()['access_token']}"}
            url = f"{self.url}/admin/realms/{self.realm}{path}"
            answer = client.request(method, url, headers=headers, **options)
        assert answer.is_success, answer.text
        return answer


def installed() -> Path:
    """Folder of the unpacked distribution. RuntimeError where it cannot be had."""
    folder = cache_folder() / "keycloak" / f"keycloak-{VERSION}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as name:
            artifact = f"-Dartifact=org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
            command = ["mvn", "--batch-mode", "--quiet", COPY, artifact, f"-DoutputDirectory={name}"]
            done = subprocess.run(command, cwd=name, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise RuntimeError(f"Keycloak cannot be had by mvn (package maven): {done.stdout[-2000:]}")
            with zipfile.ZipFile(next(Path(name).glob("*.zip"))) as packed:
                packed.extractall(name)
            if not folder.is_dir():
                (Path(name) / folder.name).rename(folder)
    return folder


@contextmanager
def running_keycloak(realm: dict[str, Any]) -> Iterator[Keycloak]:
    """Keycloak with this realm, in a home of its own beside the cached one."""
    cached, port = installed(), free_port()
    home = Path(tempfile.mkdtemp(dir=cached.parent)) / "home"
    shutil.copytree(cached, home)
    imported = home / "data" / "import"
    imported.mkdir(parents=True)
    (imported / "realm.json").write_text(json.dumps(realm))
    options = ["--http-port", str(port), "--http-host", "127.0.0.1", "--db", "dev-mem", "--import-realm"]
    environment = {
        **os.environ,
        "KC_BOOTSTRAP_ADMIN_USERNAME": "admin",
        "KC_BOOTSTRAP_ADMIN_PASSWORD": ADMIN_PASSWORD,
        "JAVA_OPTS_KC_HEAP": "-Xms64m -Xmx512m",
    }
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            ["bash", home / "bin" / "kc.sh", "start-dev", *options], env=environment, stdout=log, stderr=log
        )
    try:
        wait_for_http(f"http://127.0.0.1:{port}/realms/{realm['realm']}", process, 240)
        yield Keycloak(f"http://127.0.0.1:{port}", realm["realm"])
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(home.parent)
