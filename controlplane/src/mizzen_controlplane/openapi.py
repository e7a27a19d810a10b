"""The OpenAPI document: what people's and pipelines' clients are made from and tested against."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from fastapi import FastAPI

from mizzen_controlplane.app import create_app
from mizzen_controlplane.domains import DOMAINS
from mizzen_controlplane.kit import health
from mizzen_controlplane.kit.auth import PUBLIC_PATHS
from mizzen_controlplane.kit.routing import GuardedRoute
from mizzen_controlplane.kit.settings import Settings
from mizzen_controlplane.openapi_statuses import (
    IDEMPOTENCY_KEY,
    IF_MATCH,
    component_name,
    honours_if_match,
    possible,
    shared_responses,
)

_PROBLEM_SCHEMA = {
    "type": "object",
    "title": "Problem",
    "description": "What went wrong (RFC 9457).",
    "required": ["type", "title", "status", "code", "detail", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "A constant that programs may compare."},
        "detail": {"type": "string", "description": "The field, the limit and the remedy."},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}


def openapi_text() -> bytes:
    """The document as docs/reference/openapi.json holds it."""
    app = create_app(Settings("sqlite+aiosqlite:///", Path(), Path()))
    return orjson.dumps(openapi_document(app), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """Every route of /api/v1 and the public ones; those between programs are left out."""
    document = app.openapi()
    paths = {path: item for path, item in document["paths"].items() if not path.startswith("/internal/")}
    routes = _routes()
    for path, item in paths.items():
        for method, operation in item.items():
            _describe(operation, routes[_bare(path), method.upper()], method.upper())
    components = document.setdefault("components", {})
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "mzt_..., or a trusted issuer's"},
        "cookie": {
            "type": "apiKey", "in": "cookie", "name": "mizzen-session",
            "description": "A browser's session (over TLS `__Host-mizzen-session`); writes need X-CSRF-Token as well.",
        },
    }  # fmt: skip
    components.setdefault("schemas", {})["Problem"] = _PROBLEM_SCHEMA
    components["responses"] = shared_responses()
    return {**document, "paths": dict(sorted(paths.items()))}


def _routes() -> Mapping[tuple[str, str], GuardedRoute]:
    routers = (health.router, *(domain.router for domain in DOMAINS))
    found = (route for router in routers for route in router.routes if isinstance(route, GuardedRoute))
    return {(_bare(route.path), method): route for route in found for method in route.methods or ()}


def _bare(path: str) -> str:
    """A path as the document has it: without the kinds of its parameters."""
    return re.sub(r":path}", "}", path)


def _describe(operation: dict[str, Any], route: GuardedRoute, method: str) -> None:
    public = route.path in PUBLIC_PATHS
    responses = operation["responses"]
    responses.pop("422", None)
    declared = {int(status) for status in responses if status.isdecimal() and int(status) >= 400}
    for status in sorted(declared.union(possible(route, method, public=public))):
        responses[str(status)] = {"$ref": f"#/components/responses/{component_name(status)}"}
    if honours_if_match(route):
        operation.setdefault("parameters", []).append(IF_MATCH)
    if method == "POST" and not public:
        operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
    operation["security"] = [] if public else [{"token": []}, {"cookie": []}]
