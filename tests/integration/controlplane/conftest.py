"""Every suite here runs on SQLite and on PostgreSQL: `controlplane` is one running process for each."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from support.controlplane import FIRST_PASSWORD, ControlPlane
from support.free_ports import free_port
from support.identity_provider import (
    AUDIENCE,
    CLIENT,
    CLIENT_SECRET,
    DEVICE_CLIENT,
    IdentityProvider,
    identity_provider,
)
from support.postgres import Postgres, running_postgres

pytest.register_assert_rewrite("support.deployment_routes", "support.object_routes")

DATABASES = ["sqlite", "postgresql"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def provider() -> Iterator[IdentityProvider]:
    """The OpenID provider that the shared control planes believe."""
    with identity_provider() as running:
        yield running


@pytest.fixture(params=DATABASES)
def database_kind(request: pytest.FixtureRequest) -> str:
    """Which database."""
    return str(request.param)


@pytest.fixture(scope="session")
def smtp_port() -> int:
    """Where the control planes expect a mail server; a test that wants one starts it."""
    return free_port()


@pytest.fixture(scope="session")
def running_controlplane(
    new_controlplane: Callable[[str], ControlPlane], smtp_port: int, provider: IdentityProvider
) -> Iterator[Callable[[str], ControlPlane]]:
    """The session's control plane on a database; both live on, as each file in turn wants the one and the other."""
    planes: dict[str, ControlPlane] = {}
    with ExitStack() as running:

        def on(kind: str) -> ControlPlane:
            if kind not in planes:
                plane = new_controlplane(kind)
                (plane.secrets_dir / "admin-password").write_text(FIRST_PASSWORD)
                plane.environment = {
                    "MIZZEN_TRUSTED_PROXIES": "127.0.0.0/8",
                    "MIZZEN_EGRESS_TRUSTED": "127.0.0.2/32",  # stands for the network outside
                    "MIZZEN_SMTP_HOST": "127.0.0.1",
                    "MIZZEN_SMTP_PORT": str(smtp_port),
                    "MIZZEN_SMTP_FROM": "mizzen@example.com",
                    "MIZZEN_SMTP_SECURITY": "none",
                    "MIZZEN_SIGN_IN_FILE": str(_sign_in_file(plane, provider)),
                }
                planes[kind] = running.enter_context(plane)
            return planes[kind]

        yield on


@pytest.fixture
def controlplane(database_kind: str, running_controlplane: Callable[[str], ControlPlane]) -> ControlPlane:
    """A control plane shared by the session; make a project of your own with `controlplane.new_project()`."""
    return running_controlplane(database_kind)


@pytest.fixture(scope="session")
def new_controlplane(
    postgres: Postgres, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], ControlPlane]:
    """Makes one on a fresh database of that kind, not started yet; `postgres` is named so that it ends after them."""
    return lambda kind: ControlPlane(tmp_path_factory.mktemp("cp"), _url(kind, request, tmp_path_factory))


@pytest.fixture
def stopped_controlplane(database_kind: str, new_controlplane: Callable[[str], ControlPlane]) -> Iterator[ControlPlane]:
    """One of your own, not started yet: for tests that kill it or count everything in it."""
    plane = new_controlplane(database_kind)
    yield plane
    plane.stop()


@pytest.fixture
def admin(controlplane: ControlPlane) -> Iterator[httpx.Client]:
    """The administrator's client."""
    with controlplane.client() as client:
        yield client


@pytest.fixture
def project(controlplane: ControlPlane) -> str:
    """A fresh project's name."""
    return controlplane.new_project()


@pytest.fixture
def write_status(controlplane: ControlPlane, project: str) -> Callable[[str, dict[str, Any]], None]:
    """Writes a deployment's status, as the runner does."""

    def write(name: str, status: dict[str, Any]) -> None:
        path = f"/internal/v1/objects/ModelDeployment/{project}/{name}"
        with controlplane.client("runner") as runner:
            uid = runner.get(path).json()["metadata"]["uid"]
            written = runner.put(path + "/status", json={"uid": uid, "status": status})
        assert written.status_code == 200, written.text

    return write


def _url(kind: str, request: pytest.FixtureRequest, folders: pytest.TempPathFactory) -> str:
    if kind == "sqlite":
        return f"sqlite+aiosqlite:///{folders.mktemp('db') / 'controlplane.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()


def _sign_in_file(plane: ControlPlane, provider: IdentityProvider) -> Path:
    path = plane.folder / "sign-in.yaml"
    (plane.folder / "client-secret").write_text(CLIENT_SECRET)
    company = {
        "name": "company", "title": "Company account", "issuer": provider.url, "clientId": CLIENT,
        "clientSecretFile": "client-secret", "deviceClientId": DEVICE_CLIENT, "audiences": [AUDIENCE],
        "adminGroups": ["platform"], "confirmSeconds": 10,
    }  # fmt: skip
    path.write_text(yaml.safe_dump({"providers": [company]}))
    return path
