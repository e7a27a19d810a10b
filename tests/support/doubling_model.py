"""A model of real Triton for whole installations: numbers in, their doubles out; its versions differ in bytes alone."""

from typing import Any

import httpx
from support.installation import Installation
from support.metered_load import Question
from support.onnx_models import doubling
from support.pushing import new_model, push

MODEL = "double"


def push_version(installation: Installation, alias: str, note: str) -> int:
    """Push a version that carries `note`, and point the alias at it; returns its number."""
    made = doubling()
    made.doc_string = note
    headers = {"Authorization": f"Bearer {installation.context.token}"}
    url = installation.context.controlplane_url
    with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as client:
        model = f"/api/v1/projects/default/models/{MODEL}"
        if client.get(model).status_code == 404:
            new_model(client, "default", MODEL)
        number = int(push(client, model, {"model.onnx": made.SerializeToString()})["version"])
    point(installation, alias, number)
    return number


def point(installation: Installation, alias: str, version: int) -> None:
    """Let the alias name that version."""
    answer = installation.api("PUT", f"models/{MODEL}/aliases/{alias}", json={"version": version})
    assert answer.status_code < 300, answer.text


def deploy(installation: Installation, alias: str, **spec: Any) -> None:
    """Serve what the alias points at on Triton."""
    installation.deploy(
        MODEL,
        **{"model": {"versionRef": {"model": MODEL, "alias": alias}}, "engine": {"type": "Triton"}, **spec},
    )


def question() -> Question:
    """One inference of three numbers."""
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 3], "data": [1.0, 2.0, 3.0]}
    return Question(f"/v2/models/{MODEL}/infer", {"inputs": [tensor]})


def serving_version(installation: Installation) -> int | None:
    """The version that all requests go to."""
    status = installation.deployment(MODEL).get("status", {})
    alone = [each for each in status.get("revisions", []) if each.get("trafficPercent") == 100]
    return alone[0].get("modelVersion") if alone else None
