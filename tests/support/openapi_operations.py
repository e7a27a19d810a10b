"""The operations of the committed OpenAPI document."""

import json
import re
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).parents[2] / "docs/reference/openapi.json"


def rest_api() -> dict[str, Any]:
    """The document."""
    document: dict[str, Any] = json.loads(DOCUMENT.read_text())
    return document


def operation_names() -> set[str]:
    """The names of all operations: those of their endpoints."""
    ids = (each["operationId"] for item in rest_api()["paths"].values() for each in item.values())
    return {re.split(r"_(?:api_v1|auth|healthz|metrics|readyz)_", each + "_")[0] for each in ids}
