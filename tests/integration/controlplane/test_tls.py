"""The control plane speaks TLS itself, and each program that asks it trusts the authority that it is told, no other."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import trustme
from mizzen_cli.client import ApiClient
from mizzen_cli.context import Context
from mizzen_cli.errors import CommandError
from mizzen_operator.reconcile.controlplane import ControlPlane as AskedByOperator
from mizzen_operator.reconcile.controlplane import ControlPlaneAwayError
from support.certificates import serial_shown, write_pair
from support.cluster.objects import wait_until
from support.controlplane import ControlPlane
from support.free_ports import free_port
from support.plain_http import NOBODY

RESOLVE = {"namespace": "default", "model": "nothing", "version": "1"}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def plane(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    folder = tmp_path_factory.mktemp("plane")
    write_pair(authority, folder / "tls")
    for name in ("ca.crt", "ca.copy"):
        authority.cert_pem.write_to_path(folder / name)
    url = f"sqlite+aiosqlite:///{folder / 'controlplane.db'}"
    environment = {"MIZZEN_TLS_DIR": str(folder / "tls")}
    with ControlPlane(folder, url, environment=environment, authority=folder / "ca.crt") as plane:
        yield plane


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    """The certificate of an authority that has nothing to do with it."""
    file = tmp_path / "stranger.crt"
    trustme.CA().cert_pem.write_to_path(file)
    return file


def test_whoever_speaks_plain_http_gets_no_answer(plane: ControlPlane) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://127.0.0.1:{plane.port}/healthz", trust_env=False)


def test_a_renewed_certificate_is_taken_up_and_half_a_pair_is_not(plane: ControlPlane, authority: trustme.CA) -> None:
    folder = Path(plane.environment["MIZZEN_TLS_DIR"])
    first = serial_shown(plane.port)
    write_pair(authority, folder, "tls.crt")
    wait_until(lambda: "renewed certificate is not usable" in plane.log, 40, lambda: plane.log)
    assert serial_shown(plane.port) == first
    write_pair(authority, folder)
    wait_until(lambda: serial_shown(plane.port) != first, 40, lambda: plane.log)


def test_a_folder_without_a_pair_is_one_sentence(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'controlplane.db'}"
    plane = ControlPlane(tmp_path, url, environment={"MIZZEN_TLS_DIR": str(tmp_path / "none")})
    command = [sys.executable, "-m", "mizzen_controlplane"]
    ended = subprocess.run(command, env=plane.variables(), capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 2
    assert "MIZZEN_TLS_DIR" in ended.stderr
    assert "Traceback" not in ended.stderr


async def test_the_operator_asks_whom_it_trusts_and_no_other(
    plane: ControlPlane, stranger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mizzen_operator.reconcile.controlplane.AWAY_SECONDS", 0.1)
    asked = AskedByOperator(plane.url, plane.secrets_dir / "runner", stranger)
    with pytest.raises(ControlPlaneAwayError, match="certificate"):
        await asked.get("internal/v1/models:resolve", RESOLVE)
    assert plane.authority is not None
    plane.authority.with_suffix(".copy").replace(stranger)  # an authority that arrives later is taken up
    async with asyncio.timeout(30):
        while True:
            try:
                status, body = await asked.get("internal/v1/models:resolve", RESOLVE)
                break
            except ControlPlaneAwayError:
                await asyncio.sleep(0.1)
    await asked.close()
    assert (status, body["code"]) == (404, "model_not_found")


def test_the_command_line_asks_whom_it_trusts_and_no_other(plane: ControlPlane, stranger: Path) -> None:
    def names(ca: str) -> list[str]:
        context = Context(plane.url, "http://gateway", token=plane.tokens["admin"], controlplane_ca=ca)
        with ApiClient(context) as client:
            return [one["name"] for one in client.items("/api/v1/projects")]

    assert "default" in names(str(plane.authority))
    with pytest.raises(CommandError, match="certificate that is not trusted here"):
        names(str(stranger))
    with pytest.raises(CommandError, match="MIZZEN_CONTROLPLANE_CA"):
        names(str(stranger.with_name("nothing")))


def fetched(plane: ControlPlane, folder: Path, authority: Path) -> str:
    """Last words of a fetch of a version that is not there."""
    environment = {
        "MIZZEN_MODEL_URI": "mizzen://mv_nothing",
        "MIZZEN_MODEL_DIR": str(folder),
        "MIZZEN_REGISTRY_URL": plane.url,
        "MIZZEN_REGISTRY_CA": authority.read_text(),
        "MIZZEN_REGISTRY_TOKEN_FILE": str(plane.secrets_dir / "registry"),
        "MIZZEN_TERMINATION_LOG": str(folder / "last-words"),
        "MIZZEN_FETCH_STALL_SECONDS": "2",
    }
    command = [sys.executable, "-m", "mizzen_engines.fetch"]
    subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    return (folder / "last-words").read_text()


def test_a_pod_fetches_from_whom_it_trusts_and_no_other(plane: ControlPlane, stranger: Path, tmp_path: Path) -> None:
    assert plane.authority is not None
    assert "does not exist" in fetched(plane, tmp_path, plane.authority)
    assert "certificate" in fetched(plane, tmp_path, stranger).lower()


@pytest.mark.parametrize("trusted", [True, False])
def test_a_gateway_follows_whom_it_trusts_and_no_other(
    plane: ControlPlane, stranger: Path, tmp_path: Path, trusted: bool
) -> None:
    admin_port = free_port()
    environment = {
        "MIZZEN_CONTROLPLANE_URL": plane.url,
        "MIZZEN_CONTROLPLANE_CA": str(plane.authority if trusted else stranger),
        "MIZZEN_TOKEN_FILE": str(plane.secrets_dir / "gateway"),
        "MIZZEN_PEPPER_FILE": str(plane.secrets_dir / "pepper"),
        "MIZZEN_DATA_DIR": str(tmp_path / "data"),
        "MIZZEN_PORT": str(free_port()),
        "MIZZEN_ADMIN_PORT": str(admin_port),
    }
    log = tmp_path / "log"
    with log.open("wb") as out:
        gateway = subprocess.Popen([sys.executable, "-m", "mizzen_gateway"], env=environment, stdout=out, stderr=out)
    try:
        if trusted:
            wait_until(lambda: ready(admin_port) == 200, 40, log.read_text)
        else:
            wait_until(lambda: "certificate" in log.read_text().lower(), 40, log.read_text)
            assert ready(admin_port) != 200
    finally:
        gateway.terminate()
        gateway.wait(30)


def ready(port: int) -> int:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False, verify=NOBODY).status_code
    except httpx.TransportError:
        return 0
