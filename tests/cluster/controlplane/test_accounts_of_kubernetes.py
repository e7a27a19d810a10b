"""A pod comes with the token of its service account: the API server is an issuer of tokens like any other."""

import secrets
from collections.abc import Iterator

import httpx
import pytest
import yaml
from support.cluster.cluster import Cluster
from support.controlplane import ControlPlane, sqlite_controlplane

ISSUER, AUDIENCE, NAMESPACE = "https://kubernetes.default.svc", "mizzen-api", "default"


@pytest.fixture(scope="module")
def installation(bare_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """It asks the API server for its keys as a service account, by a token in a file."""
    folder = tmp_path_factory.mktemp("plane")
    asks = new_account(bare_cluster)
    (folder / "token").write_text(bare_cluster.service_account_token(NAMESPACE, asks))
    cluster = {
        "name": "cluster", "issuer": ISSUER, "audiences": [AUDIENCE], "algorithms": ["ES256"],
        "jwksTokenFile": str(folder / "token"),
        "jwksUrl": f"{bare_cluster.server}/openid/v1/jwks", "caFile": str(bare_cluster.folder.authority),
    }  # fmt: skip
    (folder / "sign-in.yaml").write_text(yaml.safe_dump({"providers": [cluster]}))
    with sqlite_controlplane(folder, MIZZEN_SIGN_IN_FILE=str(folder / "sign-in.yaml")) as plane:
        yield plane


def new_account(cluster: Cluster) -> str:
    name = f"pipeline-{secrets.token_hex(3)}"
    cluster.objects.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": NAMESPACE}}
    )
    return name


def asked(plane: ControlPlane, path: str, token: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.get(f"{plane.url}/api/v1/{path}", headers=headers, trust_env=False, timeout=30)


def test_an_account_is_known_by_its_name_and_does_what_it_is_bound_to(
    installation: ControlPlane, bare_cluster: Cluster
) -> None:
    account, project = new_account(bare_cluster), installation.new_project()
    token = bare_cluster.service_account_token(NAMESPACE, account, audience=AUDIENCE)
    me = asked(installation, "me", token)
    assert me.status_code == 200, me.text
    assert me.json()["permissions"] == ["self"]
    assert asked(installation, f"projects/{project}", token).status_code == 404
    with installation.client() as admin:
        person = admin.get(f"/api/v1/persons/{me.json()['principal'].removeprefix('person:')}").json()
        assert (person["issuer"], person["subject"]) == (ISSUER, f"system:serviceaccount:{NAMESPACE}:{account}")
        binding = {"role": "viewer", "principal": me.json()["principal"]}
        made = admin.post(f"/api/v1/projects/{project}/bindings", json=binding)
        assert made.status_code == 201, made.text
    assert asked(installation, f"projects/{project}", token).status_code == 200


def test_a_token_for_the_api_server_opens_nothing_here(installation: ControlPlane, bare_cluster: Cluster) -> None:
    account = new_account(bare_cluster)
    refused = asked(installation, "me", bare_cluster.service_account_token(NAMESPACE, account))
    assert (refused.status_code, refused.json()["code"]) == (401, "token_refused"), refused.text


def test_a_changed_token_is_refused(installation: ControlPlane, bare_cluster: Cluster) -> None:
    account = new_account(bare_cluster)
    head, body, signature = bare_cluster.service_account_token(NAMESPACE, account, audience=AUDIENCE).split(".")
    other = bare_cluster.service_account_token(NAMESPACE, new_account(bare_cluster), audience=AUDIENCE).split(".")[1]
    assert asked(installation, "me", f"{head}.{other}.{signature}").status_code == 401
    assert asked(installation, "me", f"{head}.{body}.{signature}").status_code == 200
