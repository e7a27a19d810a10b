"""A project that requires signatures serves only what a key that it trusts has signed, and that very version."""

import base64
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from mizzen_crds.signing import statement_of
from support.controlplane import ControlPlane
from support.pushing import new_model, onnx_model, push

ONNX = {"model.onnx": onnx_model()}
WIDER = {"model.onnx": onnx_model(width=5)}


class Signer:
    """A key pair of a person who signs."""

    def __init__(self) -> None:
        self.private = Ed25519PrivateKey.generate()

    @property
    def public(self) -> str:
        """PEM."""
        return self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def trusted(self, admin: httpx.Client, project: str, name: str) -> "Signer":
        """Have the project trust it."""
        body = {"name": name, "public_key": self.public}
        added = admin.post(f"/api/v1/projects/{project}/signing-keys", json=body)
        assert added.status_code == 201, added.text
        return self

    def body(self, version: dict[str, Any], **other: str) -> dict[str, str]:
        """A signature of the version, or of one that differs in what is given."""
        said = {name: version[name] for name in ("model", "format", "digest")} | other
        signed = self.private.sign(statement_of(said["model"], said["format"], said["digest"]))
        return {"signature": base64.b64encode(signed).decode()}


@pytest.fixture
def model(admin: httpx.Client, project: str) -> str:
    """URL of a model with a READY version, in a project that requires signatures."""
    url = new_model(admin, project)
    assert push(admin, url, ONNX)["state"] == "READY"
    required = admin.put(f"/api/v1/projects/{project}/model-policy", json={"require_signature": True})
    assert required.json()["require_signature"] is True, required.text
    return url


def sign(admin: httpx.Client, model: str, signer: Signer, number: int = 1) -> httpx.Response:
    version = admin.get(f"{model}/versions/{number}").json()
    return admin.post(f"{model}/versions/{number}/signatures", json=signer.body(version))


def answers(controlplane: ControlPlane, admin: httpx.Client, project: str, model: str) -> list[str]:
    """What an alias, a deployment, an engine that starts and its download are told of version 1: code, or `ok`."""
    identity = admin.get(f"{model}/versions/1").json()["id"]
    with controlplane.client("runner") as runner, controlplane.client("registry") as registry:
        asked: dict[str, str | int] = {"namespace": project, "model": "m", "version": 1}
        told = [
            admin.put(f"{model}/aliases/champion", json={"version": 1}),
            admin.post(f"{model}/aliases/champion:force", json={"version": 1, "reason": "x"}),
            runner.get("/internal/v1/models:resolve", params=asked),
            registry.get(f"/internal/v1/artifacts/{identity}"),
            registry.get(f"/internal/v1/artifacts/{identity}/files/model.onnx"),
        ]
    return ["ok" if answer.is_success else answer.json()["code"] for answer in told]


def test_only_what_a_trusted_key_signed_is_aliased_resolved_and_fetched(
    controlplane: ControlPlane, admin: httpx.Client, project: str, model: str
) -> None:
    assert answers(controlplane, admin, project, model) == ["version_unsigned"] * 5
    signer = Signer()
    assert sign(admin, model, signer).json()["code"] == "no_signing_key"
    assert sign(admin, model, signer.trusted(admin, project, "release")).status_code == 201
    assert answers(controlplane, admin, project, model) == ["ok"] * 5
    (listed,) = admin.get(f"{model}/versions/1/signatures").json()["items"]
    assert (listed["name"], listed["valid"]) == ("release", True)
    assert sign(admin, model, signer).status_code == 200, "the same once more changes nothing"
    off = admin.put(f"/api/v1/projects/{project}/model-policy", json={"require_signature": False}).json()
    assert off["require_signature"] is False


def test_a_revoked_key_vouches_for_nothing_until_another_has_signed(
    controlplane: ControlPlane, admin: httpx.Client, project: str, model: str
) -> None:
    keys = f"/api/v1/projects/{project}/signing-keys"
    first, second = Signer().trusted(admin, project, "first"), Signer().trusted(admin, project, "second")
    sign(admin, model, first).raise_for_status()
    admin.put(f"{model}/aliases/champion", json={"version": 1}).raise_for_status()
    leaning = [{"model": "m", "version": 1, "aliases": ["champion"], "deployments": []}]
    tried = admin.post(f"{keys}/first:revoke", json={"dry_run": True}).json()
    assert (tried["leaning"], tried["refused"], tried["revoked_at"]) == (leaning, True, None)
    assert answers(controlplane, admin, project, model) == ["ok"] * 5
    revoked = admin.post(f"{keys}/first:revoke").json()
    assert revoked["leaning"] == leaning
    assert revoked["revoked_at"] is not None
    assert answers(controlplane, admin, project, model) == ["version_unsigned"] * 5
    assert sign(admin, model, first).json()["code"] == "signature_invalid"
    back = admin.post(keys, json={"name": "again", "public_key": first.public})
    assert (back.status_code, back.json()["code"]) == (409, "signing_key_revoked")
    assert sign(admin, model, second).status_code == 201
    assert answers(controlplane, admin, project, model) == ["ok"] * 5
    assert admin.post(f"{keys}/first:revoke").json()["leaning"] == []
    listed = admin.get(f"{model}/versions/1/signatures").json()["items"]
    assert [(one["name"], one["valid"]) for one in listed] == [("first", False), ("second", True)]


def test_a_signature_is_of_one_content_in_one_format_of_one_model(
    admin: httpx.Client, project: str, model: str
) -> None:
    signer = Signer().trusted(admin, project, "release")
    other = push(admin, model, WIDER)
    version = admin.get(f"{model}/versions/1").json()
    for wrong in (
        signer.body(version, digest=other["digest"]),
        signer.body(version, model="n"),
        signer.body(version, format="GGUF"),
        Signer().body(version),
    ):
        refused = admin.post(f"{model}/versions/1/signatures", json=wrong)
        assert (refused.status_code, refused.json()["code"]) == (422, "signature_invalid")
        assert refused.json()["errors"][0]["pointer"] == "/signature"
        assert f"digest: {version['digest']}" in refused.json()["detail"], "it says what is to be signed"
    assert admin.get(f"{model}/versions/1/signatures").json()["items"] == []


def test_the_policy_names_what_is_in_use_and_not_signed(admin: httpx.Client, project: str) -> None:
    policy, model = f"/api/v1/projects/{project}/model-policy", new_model(admin, project)
    push(admin, model, ONNX)
    assert admin.get(policy).json()["unsigned"] == [], "nothing uses it"
    spec = {"engine": {"type": "Triton"}, "model": {"versionRef": {"model": "m", "version": 1}}}
    manifest = {"apiVersion": "mizzen.dev/v1alpha1", "kind": "ModelDeployment", "metadata": {"name": "d"}, "spec": spec}
    assert admin.put(f"/api/v1/projects/{project}/deployments/d", json=manifest).status_code == 201
    unsigned = [{"model": "m", "version": 1, "aliases": [], "deployments": ["d"]}]
    assert admin.put(policy, json={"require_signature": True}).json()["unsigned"] == unsigned
    sign(admin, model, Signer().trusted(admin, project, "release")).raise_for_status()
    assert admin.get(policy).json()["unsigned"] == []
    kept = admin.put(policy, json={"quarantine_from": "critical"}).json()
    assert kept["require_signature"] is True, "who does not speak of it does not switch it off"


def test_what_changes_the_trust_is_in_the_audit_trail(admin: httpx.Client, project: str, model: str) -> None:
    signer = Signer().trusted(admin, project, "release")
    sign(admin, model, signer).raise_for_status()
    admin.post(f"/api/v1/projects/{project}/signing-keys/release:revoke").raise_for_status()
    own = {"filter": f"project_id = {admin.get(f'/api/v1/projects/{project}').json()['id']}"}
    actions = {event["action"] for event in admin.get("/api/v1/audit-events", params=own).json()["items"]}
    assert {"model-policies.put", "signing-keys.create", "versions.sign", "signing-keys.revoke"} <= actions


def test_a_private_key_that_was_sent_is_refused_and_repeated_nowhere(admin: httpx.Client, project: str) -> None:
    keys = f"/api/v1/projects/{project}/signing-keys"
    secret = Signer().private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    refused = admin.post(keys, json={"name": "release", "public_key": secret})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/public_key")
    assert "private key" in refused.json()["detail"]
    assert secret.splitlines()[1] not in refused.text


def test_a_key_that_is_trusted_already_is_not_trusted_under_another_name(admin: httpx.Client, project: str) -> None:
    keys, signer = f"/api/v1/projects/{project}/signing-keys", Signer()
    signer.trusted(admin, project, "release")
    twice = admin.post(keys, json={"name": "other", "public_key": signer.public})
    assert (twice.status_code, twice.json()["code"]) == (409, "signing_key_known")
    named = admin.post(keys, json={"name": "release", "public_key": Signer().public})
    assert (named.status_code, named.json()["code"]) == (409, "name_taken")
