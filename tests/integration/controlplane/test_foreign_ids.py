"""What is somebody else's is absent on every route that names something, for one who may do everything on it.

The walk is over the OpenAPI document, with a body that each route takes: only a 404 counts, so that a route which finds
a foreign thing and then refuses it for another reason is seen.
"""

import re
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from support.controlplane import ControlPlane
from support.openapi_operations import rest_api
from support.persons import new_person
from support.pushing import gguf_file, push

DOCUMENT = rest_api()
PUBLIC_KEY = "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="
"""Of ed25519: a test vector of RFC 8032 has its private half, so that it vouches for nothing."""
BODIES: Mapping[str, dict[str, Any]] = {
    "AliasForce": {"version": 1, "reason": "x"},
    "AliasPut": {"version": 1},
    "CardPut": {"text": "x"},
    "CreditNoteWrite": {"amount": "1", "reason": "x"},
    "EvaluationCreate": {"name": "x", "value": 1.0},
    "ImportCredentialCreate": {"name": "x", "host": "models.invalid", "secret": "x"},
    "QuarantineCreate": {"reason": "x"},
    "ReleaseCreate": {"reason": "x"},
    "ScaleBody": {"replicas": 1},
    "ServiceAccountTokenCreate": {"name": "x"},
    "SigningKeyCreate": {"name": "x", "public_key": PUBLIC_KEY},
    "VersionSignatureCreate": {"signature": "eA=="},
    "VersionCreate": {"format": "ONNX", "files": [{"path": "x.onnx", "size": 1, "sha256": "0" * 64}]},
    "VersionImport": {"source": "https://models.invalid/x.onnx"},
    "VoidWrite": {"reason": "x"},
}
"""Schema -> a body of it; an empty one for all others."""
VALUES = {"from": "1", "to": "1", "offset": "0"}
"""For parameters of the query that a route needs."""
MAKES_BY_NAME = {
    ("PUT", "/api/v1/projects/{project}/deployments/{name}"),
    ("PUT", "/api/v1/projects/{project}/models/{model}/aliases/{alias}"),
    ("POST", "/api/v1/projects/{project}/models/{model}/aliases/{alias}:force"),
}
"""Here the last part is a name that the caller gives: what another project calls so stays as it is."""
ROUTES = [
    (method.upper(), path, operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if "x-mizzen-permission" in operation and set(re.findall(r"\{(\w+)\}", path)) - {"project"}
]
Ids = Mapping[str, str]


@pytest.fixture
def database_kind() -> str:
    """One is enough: the questions to the database are the same on both."""
    return "sqlite"


@pytest.fixture
def own(admin: httpx.Client, controlplane: ControlPlane) -> dict[str, str]:
    """One of everything in the caller's project."""
    return everything_in(admin, controlplane, versions=1)


@pytest.fixture
def foreign(admin: httpx.Client, controlplane: ControlPlane) -> dict[str, str]:
    """One of everything in another project."""
    return everything_in(admin, controlplane, versions=2)


def everything_in(admin: httpx.Client, controlplane: ControlPlane, versions: int) -> dict[str, str]:
    """Parameter -> id (or name, or number) of something in a new project, whose model has so many open versions."""
    project, mark = controlplane.new_project(), secrets.token_hex(4)
    path = f"/api/v1/projects/{project}"

    def made(below: str, body: dict[str, Any]) -> str:
        answer = admin.post(path + below, json=body)
        assert answer.is_success, (below, answer.text)
        return str(answer.json()["id"])

    person = new_person(controlplane)
    person.client.close()
    model, account = made("/models", {"name": "m"}), made("/service-accounts", {"name": "s"})
    push(
        admin,
        f"{path}/models/m",
        {"w.gguf": gguf_file({"general.architecture": "llama", "llama.context_length": 8}, {"w": [4]})},
        "GGUF",
    )
    file: dict[str, Any] = {"path": f"{mark}.onnx", "size": 1, "sha256": "0" * 64}
    for _ in range(versions):
        made(f"/models/{model}/versions", {"format": "ONNX", "files": [file]})
    webhook = made("/webhooks", {"name": "w", "url": "https://hooks.invalid/x", "event_types": ["*"]})
    spec = {"engine": {"type": "Triton"}, "model": {"versionRef": {"model": "m", "version": 1}}}
    manifest = {"apiVersion": "mizzen.dev/v1alpha1", "kind": "ModelDeployment", "metadata": {"name": f"d-{mark}"}}
    ids = {
        "project": project,
        "model": model,
        "version": str(1 + versions),
        "path": file["path"],
        "alias": f"alias-{mark}",
        "name": f"d-{mark}",
        "key": made("/keys", {"name": "k"}),
        "limit": made("/limits", {"name": "l", "metric": "requests", "amount": 60}),
        "budget": made("/budgets", {"name": "b", "amount": "5.00"}),
        "grant": made("/grants", {"model": f"default/{mark}"}),
        "webhook": webhook,
        "delivery": made(f"/webhooks/{webhook}:test", {}),
        "invoice": made("/invoices/2026-03:finalize", {}),
        "binding": made("/bindings", {"principal": person.principal, "role": "viewer"}),
        "service_account": account,
        "credential": made("/import-credentials", BODIES["ImportCredentialCreate"]),
        "signing_key": made("/signing-keys", {"name": "k", "public_key": PUBLIC_KEY}),
        "token": made(f"/service-accounts/{account}/tokens", {"name": "t"}),
        "operation": made(f"/models/{model}/versions:import", BODIES["VersionImport"]),
    }
    assert admin.put(f"{path}/deployments/d-{mark}", json={**manifest, "spec": spec}).status_code == 201
    assert admin.put(f"{path}/models/m/aliases/alias-{mark}", json={"version": 1}).is_success
    return ids


def mixtures(path: str, own: Ids, foreign: Ids) -> Iterator[dict[str, str]]:
    """The parameters of the path, from each one on the other project's: a foreign thing below one's own as well."""
    names = re.findall(r"\{(\w+)\}", path)
    for first in range(names.index("project") + 1, len(names)):
        yield {name: (own if place < first else foreign)[name] for place, name in enumerate(names)}


def call(client: httpx.Client, method: str, path: str, operation: dict[str, Any], ids: Ids) -> httpx.Response:
    """The operation with a body and query that it takes, and these ids."""
    asked = [one["name"] for one in operation.get("parameters", ()) if one.get("required") and one["in"] == "query"]
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    kind = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    body = BODIES.get(kind, {}) if content else None
    headers = {"Upload-Offset": "0"} if path.endswith("{path}") else {}
    address = re.sub(r"\{(\w+)\}", lambda found: ids[found[1]], path)
    return client.request(method, address, params={name: VALUES[name] for name in asked}, json=body, headers=headers)


def seen(admin: httpx.Client, ids: Ids) -> dict[str, Any]:
    """Everything of the project that has a route of its own."""
    found = {}
    for method, path, operation in ROUTES:
        if method == "GET" and path.startswith("/api/v1/projects/") and path.endswith("}"):
            answer = call(admin, method, path, operation, ids)
            found[path] = answer.json() if answer.is_success else answer.status_code
    return found


def test_what_is_another_projects_is_absent_on_every_route_and_stays_as_it_is(
    admin: httpx.Client, own: Ids, foreign: Ids
) -> None:
    before, wrong, tried = seen(admin, foreign), [], Counter[tuple[str, str]]()
    assert [path for path, told in before.items() if told == 404] == []
    for method, path, operation in ROUTES:
        for ids in mixtures(path, own, foreign) if "{project}" in path else ():
            if (method, path) in MAKES_BY_NAME and list(ids.values())[-2] in own.values():
                continue
            answer = call(admin, method, path, operation, ids)
            tried[method, path] += 1
            if answer.status_code != 404:
                wrong.append((method, path, ids, answer.status_code, answer.text[:300]))
    print(f"foreign ids: {len(tried)} routes below a project, {tried.total()} requests")
    assert wrong == []
    assert seen(admin, foreign) == before


def test_what_is_not_the_organizations_is_absent_on_every_route_of_it(
    admin: httpx.Client, controlplane: ControlPlane, foreign: Ids
) -> None:
    person, wrong, tried = new_person(controlplane), [], 0
    with person.client as client:
        session = client.get("/api/v1/sessions").json()["items"][0]["id"]
    # What is a project's is not reached without naming the project, but for bindings, all of which are shown.
    ids = {**foreign, "binding": "rbd_none", "session": session}
    for method, path, operation in ROUTES:
        if "{project}" not in path:
            given = {name: ids.get(name, "none") for name in re.findall(r"\{(\w+)\}", path)}
            answer = call(admin, method, path, operation, given)
            tried += 1
            if answer.status_code != 404:
                wrong.append((method, path, answer.status_code, answer.text[:300]))
    print(f"foreign ids: {tried} routes of the organization")
    assert wrong == []
