"""Does the API take the bodies that its document shows, as they are?"""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.request_examples import example_of

DOCUMENT: dict[str, Any] = json.loads((Path(__file__).parents[3] / "docs/reference/openapi.json").read_text())
P = "/api/v1/projects/{project}"
M = P + "/models/{model}"
V = M + "/versions"
A = P + "/service-accounts"
STORY = [
    ("PATCH", P, 200), ("PUT", P + "/quota", 200), ("PUT", P + "/model-policy", 200),
    ("POST", P + "/keys", 201), ("PATCH", P + "/keys/{key}", 200), ("POST", P + "/keys/{key}:rotate", 200),
    ("POST", P + "/keys:bulkRevoke", 200), ("POST", P + "/limits", 201), ("PATCH", P + "/limits/{limit}", 200),
    ("POST", P + "/limits:simulate", 200), ("POST", P + "/budgets", 201), ("PATCH", P + "/budgets/{budget}", 200),
    ("POST", P + "/credits", 201), ("PATCH", P + "/billing-profile", 200),
    ("POST", P + "/models", 201), ("PATCH", M, 200), ("PUT", M + "/card", 201), ("POST", V, 201),
    ("PATCH", V + "/{version}", 200), ("POST", V + "/{version}/evaluations", 201),
    ("POST", P + "/bindings", 201), ("POST", A, 201), ("POST", A + "/{service_account}/tokens", 201),
    ("POST", A + "/{service_account}/tokens/{token}:rotate", 200), ("PATCH", A + "/{service_account}", 200),
    ("POST", P + "/signing-keys", 201), ("POST", P + "/signing-keys/{signing_key}:revoke", 200),
    ("POST", P + "/webhooks", 201), ("PATCH", P + "/webhooks/{webhook}", 200),
    ("PATCH", P + "/deployments/{name}", 200), ("POST", P + "/deployments/{name}:scale", 200),
]  # fmt: skip
NAMES = {
    "key": "web-shop", "limit": "fair-use", "budget": "monthly", "model": "sentiment", "version": "1",
    "service_account": "ci", "token": "pipeline", "signing_key": "release", "webhook": "pager", "name": "sentiment",
}  # fmt: skip
"""As the examples name things."""


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_the_api_takes_the_bodies_that_its_document_shows(admin: httpx.Client, project: str) -> None:
    put = example_of(DOCUMENT, "PUT", P + "/deployments/{name}")
    assert admin.put(f"/api/v1/projects/{project}/deployments/sentiment", json=put).status_code == 201
    refused = []
    for method, path, wanted in STORY:
        answer = admin.request(method, path.format(project=project, **NAMES), json=example_of(DOCUMENT, method, path))
        if answer.status_code != wanted:
            refused.append((method, path, answer.status_code, answer.text))
    print(f"bodies sent: {len(STORY) + 1}")
    assert refused == []
