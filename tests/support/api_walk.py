"""Every operation of the OpenAPI document called with cases that schemathesis makes of it, on a control plane in this
process: what it finds is an answer that the document does not tell of."""

import hashlib
import logging
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import schemathesis
import structlog
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from mizzen_controlplane.app import create_app
from mizzen_controlplane.kit.settings import Settings
from mizzen_controlplane.openapi import openapi_document
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient
from support.controlplane import write_secrets

URL = "http://127.0.0.1"
LONGEST_QUERY = 60_000
"""Characters that the client of the tests sends: it raises for more, before anything is asked."""
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
WEIGHTS = b"weights"
PUBLIC_KEY = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
P = "/api/v1/projects/walked"
PROJECT = "/api/v1/projects/{project}"
ONCE_IN = 4
"""Cases, one keeps the names in its path as they were made."""
ENDLESS = {"follow": False}
"""Query parameters that make an answer last for ever -> what they are instead."""


@dataclass
class Walk:
    """A walk over all operations: what was tried, and what was found."""

    client: TestClient
    document: Mapping[str, Any]
    things: Mapping[str, str]
    """Name of a path's parameter -> one that is there, in the project."""
    of_organization: Mapping[str, str]
    """The same of what has another id there."""
    operations: set[str] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)
    found: dict[str, str] = field(default_factory=dict)
    """Operation -> the first thing wrong with it."""

    def told(self) -> str:
        """One line for the log of the tests."""
        by_status = ", ".join(f"{status}: {count}" for status, count in sorted(self.statuses.items()))
        return f"{len(self.operations)} operations, {self.statuses.total()} cases; answers {by_status}"

    def run(self, chosen: int, cases: int, modes: tuple[GenerationMode, ...] = (GenerationMode.POSITIVE,)) -> None:
        """Try each operation with so many cases of each mode; those that delete come last, the project last of all."""
        schema = schemathesis.openapi.from_dict(_without_security(self.document))
        operations: list[Any] = [each.ok() for each in schema.get_all_operations()]  # type: ignore[union-attr]  # raises
        for operation in sorted(operations, key=lambda each: (each.method == "delete", each.path == PROJECT)):
            self.operations.add(operation.label)
            for mode in modes:
                self._try(operation, chosen, cases, mode)

    def _try(self, operation: Any, chosen: int, cases: int, mode: GenerationMode) -> None:
        @seed(chosen)
        @settings(
            max_examples=cases, database=None, deadline=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(operation.as_strategy(generation_mode=mode))
        def each(case: Any) -> None:
            self._call(case)

        try:
            each()
        except Unsatisfiable:
            return  # nothing of this mode can be made of it

    def _call(self, case: Any) -> None:
        if self.statuses.total() % ONCE_IN:
            case.path_parameters = {**(case.path_parameters or {}), **self._known(case)}
        case.query = {**(case.query or {}), **{name: ENDLESS[name] for name in ENDLESS if name in (case.query or {})}}
        if len(urlencode(case.query, doseq=True)) > LONGEST_QUERY:
            return
        sent = case.as_transport_kwargs(base_url=URL)
        sent.pop("cookies", None)
        sent["headers"] = {name: str(value).encode() for name, value in sent["headers"].items()}
        if isinstance(sent.get("data"), (bytes, str)):
            sent["content"] = sent.pop("data")
        answer = self.client.request(**sent)
        self.statuses[answer.status_code] += 1
        try:
            case.validate_response(answer, checks=CHECKS)
        except FailureGroup as failures:
            said = "; ".join(f"{failure.title}: {failure.message}" for failure in failures.exceptions)
            self.found.setdefault(case.operation.label, f"{said}\n{sent}\n{answer.status_code} {answer.text[:500]}")

    def _known(self, case: Any) -> dict[str, str]:
        names = case.path_parameters or {}
        things = self.things if "project" in names else {**self.things, **self.of_organization}
        return {name: things[name] for name in names if name in things}


def _without_security(document: Mapping[str, Any]) -> dict[str, Any]:
    """The walk has a token already: what happens without one is asked elsewhere, of every route."""
    paths = {
        path: {method: {**operation, "security": []} for method, operation in item.items()}
        for path, item in document["paths"].items()
    }
    return {**document, "paths": paths}


@contextmanager
def walk(folder: Path, database_url: str) -> Iterator[Walk]:
    """A walk on a control plane of its own, with one of most things in it."""
    tokens = write_secrets(folder / "secrets")
    (folder / "data").mkdir()
    plane = Settings(
        database_url, folder / "data", folder / "secrets", requests_per_second=1_000_000, refusals_per_minute=1_000_000
    )
    app = create_app(plane)
    quiet = structlog.get_config()["wrapper_class"]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    headers = {"Authorization": f"Bearer {tokens['admin']}"}
    try:
        with TestClient(app, URL, raise_server_exceptions=False, headers=headers) as client:
            yield Walk(client, openapi_document(app), *_things(client))
    finally:
        structlog.configure(wrapper_class=quiet)


def _things(client: TestClient) -> tuple[dict[str, str], dict[str, str]]:
    """Make one of most things; returns what paths call them, in the project and in the organization."""

    def made(path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = client.post(path, json=body)
        assert answer.status_code == 201, answer.text
        created: dict[str, Any] = answer.json()
        return created

    for name in ("walked", "lender"):
        made("/api/v1/projects", {"name": name})
    made(P + "/models", {"name": "m"})
    file = {"path": "model.gguf", "size": len(WEIGHTS), "sha256": hashlib.sha256(WEIGHTS).hexdigest()}
    made(P + "/models/m/versions", {"format": "GGUF", "files": [file]})
    made("/api/v1/roles", {"name": "r", "permissions": ["keys:read"]})
    for place in ("/api/v1", P):
        made(place + "/limits", {"name": "l", "metric": "requests", "amount": 5, "window_seconds": 60})
        made(place + "/budgets", {"name": "b", "amount": "9"})
        made(place + "/webhooks", {"name": "w", "url": "https://hooks.invalid/w"})
    made(P + "/grants", {"model": "lender/m"})
    made(P + "/service-accounts", {"name": "s"})
    made(P + "/service-accounts/s/tokens", {"name": "t"})
    made(P + "/signing-keys", {"name": "sk", "public_key": PUBLIC_KEY})
    made(P + "/import-credentials", {"name": "c", "host": "models.invalid", "secret": "s"})
    key, binding = made(P + "/keys", {"name": "k"}), {"principal": "group:g", "role": "viewer"}
    return {
        "project": "walked", "model": "m", "version": "1", "path": "model.gguf", "key": key["id"], "limit": "l",
        "budget": "b", "rate_card": "default", "alias": "champion", "name": "d", "deployment": "d", "grant": "lender/m",
        "service_account": "s", "token": "t", "webhook": "w", "role": "r", "signing_key": "sk", "credential": "c",
        "invoice": f"{datetime.now(UTC):%Y-%m}", "binding": made(P + "/bindings", binding)["id"],
    }, {"binding": made("/api/v1/bindings", binding)["id"]}  # fmt: skip


def some_seed(given_seed: str | None) -> int:
    """The seed asked for, or one by chance, printed."""
    chosen = int(given_seed) if given_seed else secrets.randbelow(2**32)
    print(f"MIZZEN_SEED={chosen}")
    return chosen
