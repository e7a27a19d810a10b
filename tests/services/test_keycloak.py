"""Signing in at a real Keycloak: by a browser, by the command line with a code, and by a program's own token."""

import asyncio
import html
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from support.command_line import PROGRAM, CommandLine
from support.controlplane import ControlPlane
from support.keycloak import Keycloak, running_keycloak
from support.until import until

REALM = Path(__file__).with_name("keycloak_realm.json")
GROUPS = {
    "name": "groups", "protocol": "openid-connect", "protocolMapper": "oidc-group-membership-mapper",
    "config": {"claim.name": "groups", "full.path": "false", "id.token.claim": "true", "access.token.claim": "true"},
}  # fmt: skip


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> ControlPlane:
    """Not started yet: Keycloak must know where browsers come back to."""
    folder = tmp_path_factory.mktemp("plane")
    return ControlPlane(folder, f"sqlite+aiosqlite:///{folder / 'controlplane.db'}")


@pytest.fixture(scope="module")
def keycloak(plane: ControlPlane) -> Iterator[Keycloak]:
    text = REALM.read_text().replace("REDIRECT", f"{plane.url}/auth/providers/company/callback")
    with running_keycloak(json.loads(text.replace('"GROUPS"', json.dumps(GROUPS)))) as running:
        yield running


@pytest.fixture(scope="module")
def installation(plane: ControlPlane, keycloak: Keycloak) -> Iterator[ControlPlane]:
    company = {
        "name": "company", "issuer": keycloak.issuer, "clientId": "mizzen", "clientSecretFile": "client-secret",
        "deviceClientId": "mizzen-cli", "audiences": ["mizzen-api"], "adminGroups": ["platform"], "confirmSeconds": 10,
    }  # fmt: skip
    (plane.folder / "client-secret").write_text("secret-of-mizzen")
    path = plane.folder / "sign-in.yaml"
    path.write_text(yaml.safe_dump({"providers": [company]}))
    plane.environment = {"MIZZEN_SIGN_IN_FILE": str(path)}
    with plane:
        yield plane


def wait(condition: Callable[[], object]) -> None:
    asyncio.run(until(condition, seconds=60, every=0.2))


class Loopback(httpx.HTTPTransport):
    """As browsers do, it takes this very machine for safe: Keycloak's cookies are `Secure` there, without TLS too."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        response.headers = httpx.Headers(
            [(name, value.replace(";Secure", "")) for name, value in response.headers.multi_items()]
        )
        return response


def browser() -> httpx.Client:
    return httpx.Client(transport=Loopback(), trust_env=False, timeout=60, follow_redirects=True)


def submitted(client: httpx.Client, page: httpx.Response, **fields: str) -> httpx.Response:
    """The page's form, sent with these fields and its hidden ones."""
    action = re.search(r'<form[^>]*action="([^"]+)"', page.text)
    assert action is not None, page.text
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    return client.post(page.url.join(html.unescape(action[1])), data={**hidden, **fields})


def signed_in(installation: ControlPlane, client: httpx.Client) -> dict[str, Any]:
    """What the control plane says of Ada, who signed in by her browser."""
    page = client.get(installation.url + "/auth/providers/company/start")
    answer = submitted(client, page, username="ada", password="ada-password") if "<form" in page.text else page
    assert answer.status_code == 200, answer.text
    me: dict[str, Any] = answer.json()
    return me


def test_a_person_signs_in_by_a_browser(installation: ControlPlane, keycloak: Keycloak) -> None:
    with browser() as client:
        me = signed_in(installation, client)
        assert (me["name"], me["groups"], me["permissions"]) == ("Ada Example", ["builders"], ["self"])
        [ada] = keycloak.administer("GET", "/users?username=ada").json()
        with installation.client() as admin:
            person = admin.get(f"/api/v1/persons/{me['principal'].removeprefix('person:')}").json()
        assert (person["issuer"], person["subject"]) == (keycloak.issuer, ada["id"])
    with browser() as client:
        page = client.get(installation.url + "/auth/providers/company/start")
        wrong = submitted(client, page, username="ada", password="guess")
        assert "Invalid username or password" in wrong.text


def test_the_command_line_signs_in_with_a_code(installation: ControlPlane, tmp_path: Path) -> None:
    shell = CommandLine({"MIZZEN_CONFIG": str(tmp_path / "config.yaml")})
    errors = tmp_path / "stderr"
    with errors.open("wb") as stream:
        process = subprocess.Popen(
            [*PROGRAM, "login", "--url", installation.url], env=shell.environment, stdout=subprocess.PIPE, stderr=stream
        )
    wait(lambda: "confirm the code" in errors.read_text())
    link = re.search(r"http\S+", errors.read_text())
    assert link is not None
    with browser() as client:
        page = submitted(client, client.get(link[0]), username="ada", password="ada-password")
        granted = submitted(client, page, accept="Yes")
    assert granted.is_success, granted.text
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, errors.read_text()
    assert b"Signed in as Ada Example" in out
    config = tmp_path / "config.yaml"
    assert config.stat().st_mode & 0o777 == 0o600
    me = shell("whoami", "-o", "json").json
    assert (me["name"], me["groups"], me["provider"]) == ("Ada Example", ["builders"], "company")
    token = yaml.safe_load(config.read_text())["token"]
    shell("logout")
    assert yaml.safe_load(config.read_text())["token"] == ""
    answer = httpx.get(f"{installation.url}/api/v1/me", headers={"Authorization": f"Bearer {token}"}, trust_env=False)
    assert answer.status_code == 401


def test_a_program_comes_with_a_token_of_its_own(installation: ControlPlane, keycloak: Keycloak) -> None:
    form = {"grant_type": "client_credentials", "client_id": "pipeline", "client_secret": "secret-of-pipeline"}
    with httpx.Client(trust_env=False, timeout=60) as client:
        token = client.post(f"{keycloak.issuer}/protocol/openid-connect/token", data=form).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        me = client.get(installation.url + "/api/v1/me").json()
        assert (me["permissions"], me["session_id"]) == (["self"], "")
        assert client.get(installation.url + "/api/v1/persons").status_code == 403


def test_who_is_signed_out_at_the_provider_is_signed_out_here(installation: ControlPlane, keycloak: Keycloak) -> None:
    with browser() as client:
        signed_in(installation, client)
        [ada] = keycloak.administer("GET", "/users?username=ada").json()
        keycloak.administer("POST", f"/users/{ada['id']}/logout")
        me = installation.url + "/api/v1/me"
        wait(lambda: client.get(me).status_code == 401)  # after confirmSeconds
