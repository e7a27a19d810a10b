"""Every request that `mizzen` sends is one that the REST API describes: path, method, parameters and body."""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jsonschema
import pytest
import typer
from mizzen_cli.main import app
from mizzen_cli.signing import generate
from mizzen_crds.signing import digest_of
from support.command_line import CommandLine, command_line

API: dict[str, Any] = json.loads((Path(__file__).parents[3] / "docs/reference/openapi.json").read_text())
LOCAL = {
    "up",
    "down",
    "status",
    "env",
    "doctor",
    "backup",
    "restore",
    "chat",
    "infer",
    "engines list",
    "engines install",
}
LOCAL |= {"login", "logout"}  # of the provider and of a session: tried against real ones
LOCAL |= {"diff"}  # of what `apply --dry-run` and `get` send
LOCAL |= {"gateway check", "gateway key", "gateway usage"}
LOCAL |= {"signing-keys generate"}
LOCAL |= {"secrets rotate"}  # a file of this machine, and then what `secrets rewrap` sends
"""Commands that ask this machine or the gateway alone."""
COMMANDS = (
    "apply -f {folder}/m.yaml",
    "apply -f {folder}/m.yaml --wait",
    "get",
    "get m",
    "describe m",
    "why m",
    "apply -f {folder}/m.yaml --dry-run",
    "logs m --pod p -c engine --tail 5",
    "delete m",
    "deploy m --model a@champion --no-wait",
    "deploy m --model a@1 --no-wait",
    "usage --start 2027-01-01T00:00:00Z --end 2027-02-01T00:00:00Z --group-by model,key --bucket day",
    "invoice 2027-01",
    "invoice --csv",
    "invoices list",
    "invoices list --organization",
    "invoices finalize 2027-01",
    "invoices rerate 2027-01",
    "invoices pay INV-000001 --reference wire --paid-at 2027-02-01T00:00:00Z",
    "invoices void INV-000001 --reason wrong",
    "invoices credit INV-000001 --amount 1.00 --reason outage",
    "invoices credit-notes INV-000001",
    "invoices pdf INV-000001 {folder}/invoice.pdf",
    "billing show",
    "billing update --monthly-fee 5.00 --minimum none --discount-percent 10 --discount-until 2027-12",
    "credits create welcome --amount 5.00 --reason hello --priority 1 --expires-at 2027-12-31T00:00:00Z",
    "credits list",
    "billing update --tax-name VAT --tax-percent 19 --customer c --payment-days 14 --organization",
    "access grant developer person:per_1 --resource model/a --deny",
    "access grant viewer person:per_1 --organization",
    "access list",
    "access list --organization",
    "access revoke rbd_1",
    "access roles list",
    "access roles show viewer",
    "access roles create captain --permission versions:publish --permission models:read --description d",
    "access roles update captain --permission versions:publish",
    "access roles delete captain",
    "access explain models:write",
    "access explain models:write --principal person:per_1 --resource model/a",
    "access explain models:write --principal person:per_1 --organization",
    "import-credentials create hub --host huggingface.co",
    "import-credentials create shelf --host models.example.org:8443 --username reader",
    "import-credentials create bucket --host s3.eu-central-1.amazonaws.com --access-key-id AK1",
    "import-credentials list",
    "import-credentials replace hub",
    "import-credentials delete hub",
    "service-accounts create ci --description builds",
    "service-accounts list",
    "service-accounts update ci --disable",
    "service-accounts delete ci",
    "service-accounts tokens create ci laptop --expires-at 2027-01-31T00:00:00Z",
    "service-accounts tokens list ci",
    "service-accounts tokens rotate ci laptop --overlap 60",
    "service-accounts tokens revoke ci laptop",
    "audit",
    "audit verify",
    "audit export --after 3 --no-personal",
    "audit anchor",
    "audit keys",
    "secrets keys",
    "secrets rewrap",
    "models push a {folder}/model.onnx --alias champion",
    "models push a {folder}/model.onnx --alias champion --sign-with {folder}/release.pem",
    "models list",
    "models versions a",
    "models alias a champion 1",
    "models aliases a",
    "models compare a 1 2",
    "models show a",
    "models show a@champion",
    "models archive a 1",
    "models import https://a.test/m.onnx --model a --digest m.onnx=" + "0" * 64,
    "operations list",
    "operations show op_1",
    "operations cancel op_1",
    "models scan a@1",
    "models verify a@1",
    "models policy --format ONNX",
    "models promotion a --compatible",
    "models quarantine a@1 --reason leaked",
    "models release a@1 --reason checked",
    "models sign a@1 --key {folder}/release.pem",
    "models sign a@1 --key {folder}/release.pem --path {folder}/model.onnx",
    "models sign a@1 --statement",
    "models signatures a@1",
    "models policy --require-signature",
    "signing-keys add release {folder}/release.pem",
    "signing-keys list",
    "signing-keys revoke release --dry-run",
    "models card a@1 -f {folder}/card.md",
    "models tag a@1 stage=test",
    "models lineage a@1 --dataset d",
    "models results a@1 accuracy=0.9",
    "models unalias a champion",
    "rollout status m",
    "rollout promote m",
    "rollout pause m",
    "rollout resume m",
    "rollout restart m",
    "rollout rollback m",
    "keys create k --model a --expires-at 2027-01-31T00:00:00Z",
    "keys list",
    "keys update k --model a --expires-at never",
    "keys create k --priority batch",
    "keys update k --priority interactive",
    "keys update k --all-models --expires-at 2027-01-31T00:00:00Z",
    "projects create p",
    "quotas get",
    "quotas set --storage 500GB --deployments 20 --accelerators h100=4",
    "projects list",
    "whoami",
    "sessions list",
    "sessions end ses_1",
    "projects update p --allow-code",
    "projects list --archived",
    "projects archive p",
    "projects restore p",
    "keys rotate k --overlap 60",
    "keys revoke k",
    "keys revoke-many --label team=search --created-before 2027-01-31T00:00:00Z --dry-run",
    "keys create k --route r --operation embeddings --ip-range 192.0.2.0/24",
    "keys update k --all-models --all-operations --any-network",
    "grants create other/m",
    "grants list",
    "grants delete other/m",
    "grants delete grt_1",
    "webhooks create ops https://ops.example.com/mizzen --event budget.*",
    "webhooks list --organization",
    "webhooks update ops --url https://ops.example.com/other --off",
    "webhooks rotate-secret ops",
    "webhooks test ops",
    "webhooks deliveries ops --dead",
    "webhooks redeliver ops dlv_1",
    "webhooks delete ops",
    "limits create l --requests 5 --window 60 --model a --key k",
    "limits create l --tokens 5",
    "limits create l --tokens 5 --owner service-account:ci",
    "budgets create b --amount 5.00 --owner person:per_1",
    "limits create l --cost 5.00 --scope user --mode shadow --on-store-loss allow",
    "limits create l --concurrent 5 --organization",
    "limits update l --amount 6 --mode enforce",
    "limits list",
    "limits explain a --key k",
    "limits simulate -f {folder}/limits.yaml --days 3",
    "limits delete l",
    "budgets create b --amount 25.00 --key k --notify-at 80 --notify-at 100",
    "budgets create b --amount 9 --unit tokens --window rolling --window-seconds 900 --hardness soft",
    "budgets update b --amount 10 --organization",
    "budgets list",
    "budgets delete b",
    "rate-cards create r --per-request 0.1",
    "rate-cards list",
    "api list_keys page_size=5",
    "api all_keys -o table",
    "api create_key -f {folder}/key.yaml -o yaml",
)
MANIFEST = {
    "apiVersion": "mizzen.dev/v1alpha1",
    "kind": "ModelDeployment",
    "metadata": {"name": "m", "generation": 1},
    "spec": {"model": {"versionRef": {"model": "a", "alias": "champion"}}, "engine": {"type": "Triton"}},
}
STATUS = {
    "observedGeneration": 1,
    "conditions": [{"type": "Ready", "status": "True", "reason": "Available", "message": "m"}],
    "resolvedModel": {"version": 1},
}


class ModelFile:
    """What the models are made of."""

    path = "model.onnx"
    size = 7
    sha256 = hashlib.sha256(b"a model").hexdigest()


ANSWER = {
    "items": [],
    "name": "m",
    "model": "a",
    "version": 1,
    "latest_version": 1,
    "state": "READY",
    "reason": "",
    "format": "ONNX",
    "size_bytes": 1,
    "digest": digest_of([ModelFile]),
    "files": [{"path": "model.onnx", "size": 7, "sha256": ModelFile.sha256, "received": False}],
    "leaning": [{"model": "a", "version": 1, "aliases": ["champion"], "deployments": ["m"]}],
    "refused": True,
    "received": False,
    "part_bytes": 4,
    "ranges": [{"first": 4, "end": 7}],
    "aliases": [],
    "metadata": {},
    "signature": {},
    "scope": "project",
    "secret": "s",
    "lines": [],
    "whole": True,
    "events": 0,
    "first": 1,
    "findings": [],
    "notes": [],
    "anchored_up_to": None,
    "erased": 0,
    "keys": {},
    "more": False,
    "total": "0.00",
    "currency": "USD",
    "compatible": True,
    "differences": [],
    "ready": "True",
    "answer": "",
    "text": "",
    "tags": {},
    "lineage": {},
    "ancestors": [],
    "verdict": "clean",
    "id": "op_1",
    "progress": {"stage": "", "done_bytes": 0, "total_bytes": None},
    "left_out": 0,
    "formats": None,
    "quarantine_from": "high",
    "children": [],
    "etag": '"e"',
    "observed": True,
    "causes": [],
    "waits_at": None,
    "last_failure": None,
    "warnings": [],
    "storage_bytes": None,
    "storage_bytes_used": 0,
    "deployments": 3,
    "deployments_used": 1,
    "accelerators": [{"accelerator_class": "l4", "count": 2, "used": 1}],
    "manifest": {
        **MANIFEST,
        "spec": {"model": {"versionRef": {"model": "a", "version": 1}}, "engine": {"type": "Triton"}},
        "status": STATUS,
    },
}
Sent = tuple[str, str, bytes]


@pytest.fixture
def sent() -> list[Sent]:
    """What arrives: method, target, body."""
    return []


@pytest.fixture
def mizzen(sent: list[Sent], tmp_path: Path) -> Iterator[CommandLine]:
    """A shell whose control plane answers everything alike and keeps what it was asked."""

    class Answerer(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            sent.append((self.command, self.path, body))
            content = b"" if self.command == "HEAD" else json.dumps(ANSWER).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    (tmp_path / "m.yaml").write_text(json.dumps(MANIFEST))
    (tmp_path / "key.yaml").write_text("name: k")
    (tmp_path / "card.md").write_text("# A model")
    (tmp_path / "limits.yaml").write_text("limits: [{name: l, metric: requests, amount: 5}]")
    (tmp_path / "model.onnx").write_text("a model")
    generate(tmp_path / "release.pem")
    with ThreadingHTTPServer(("127.0.0.1", 0), Answerer) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        yield command_line(tmp_path, url, url, "token", "key")
        server.shutdown()


def operation(method: str, path: str) -> dict[str, Any]:
    """The described operation that a request is."""
    for template, methods in API["paths"].items():
        # OpenAPI cannot say that a value may hold slashes: a file's path and a shared model's owner/name do.
        pattern = re.sub(r"\\\{(path|grant)\\\}", ".+", re.escape(template))
        pattern = re.sub(r"\\\{[a-z_]+\\\}", "[^/:]+", pattern)
        if re.fullmatch(pattern, path) and method.lower() in methods:
            found: dict[str, Any] = methods[method.lower()]
            return found
    raise AssertionError(f"the REST API has no {method} {path}")


def body_schema(described: dict[str, Any]) -> dict[str, Any] | None:
    """The schema of an operation's JSON body."""
    content = described.get("requestBody", {}).get("content", {})
    for kind, about in content.items():
        if kind.endswith("json"):
            schema: dict[str, Any] = about["schema"]
            return schema
    return None


@pytest.mark.parametrize("line", COMMANDS)
def test_what_a_command_sends_is_described(line: str, mizzen: CommandLine, sent: list[Sent], tmp_path: Path) -> None:
    mizzen(*line.format(folder=tmp_path).split(), stdin="a secret that commands read\n")
    assert sent
    for method, target, body in sent:
        url = urlsplit(target)
        described = operation(method, url.path)
        known = {each["name"] for each in described.get("parameters", []) if each["in"] == "query"}
        assert set(parse_qs(url.query)) <= known
        schema = body_schema(described)
        if schema is not None and body:
            jsonschema.validate(json.loads(body), {**schema, "components": API["components"]})


def test_every_command_is_tried_or_asks_this_machine_alone() -> None:
    def leaves(group: Any, prefix: str = "") -> Iterator[str]:
        for name, command in group.commands.items():
            words = f"{prefix} {name}".strip()
            yield from leaves(command, words) if hasattr(command, "commands") else [words]

    tried = {" ".join(line.split()[:words]) for line in COMMANDS for words in (1, 2, 3)}
    assert set(leaves(typer.main.get_command(app))) - LOCAL <= tried
