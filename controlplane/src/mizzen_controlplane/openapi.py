"""The OpenAPI document: what people's and pipelines' clients are made from and tested against."""

from pathlib import Path
from typing import Any

import orjson
from fastapi import FastAPI

from mizzen_controlplane.app import create_app
from mizzen_controlplane.kit.auth import PUBLIC_PATHS
from mizzen_controlplane.kit.settings import Settings

PROBLEM = {"$ref": "#/components/schemas/Problem"}
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
    for path, item in paths.items():
        for operation in item.values():
            _describe(operation, public=path in PUBLIC_PATHS)
    components = document.setdefault("components", {})
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "mzt_..., or a trusted issuer's"},
        "cookie": {
            "type": "apiKey", "in": "cookie", "name": "mizzen-session",
            "description": "A browser's session (over TLS `__Host-mizzen-session`); writes need X-CSRF-Token as well.",
        },
    }  # fmt: skip
    components.setdefault("schemas", {})["Problem"] = _PROBLEM_SCHEMA
    return {**document, "paths": dict(sorted(paths.items()))}


def _describe(operation: dict[str, Any], *, public: bool) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    responses["default"] = {
        "description": "A problem",
        "content": {"application/problem+json": {"schema": PROBLEM}},
    }
    operation["security"] = [] if public else [{"token": []}, {"cookie": []}]
