"""What does gateway.yaml say of models and upstreams? Objects as a store would hold them, and ways to upstreams."""

import hashlib
import re
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mizzen_gateway.engine.dial import VERSION, Dial
from mizzen_gateway.engine.pool import Address
from mizzen_gateway.routing.deployment import EVERYBODY
from mizzen_gateway.standalone.access import NAMESPACE
from mizzen_gateway.standalone.config import SCHEMES, ByHeader, GatewayFile, Model, Route, Share, Step, Upstream
from mizzen_gateway.standalone.parts import SecretMissingError

REVISION = "file"
API_VERSION = "mizzen.dev/v1alpha1"
DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def objects_of(file: GatewayFile) -> list[dict[str, Any]]:
    """A ModelDeployment and an EndpointSet for each model, a ModelRoute for each route."""
    upstreams = {one.name: one for one in file.upstreams}
    found: list[dict[str, Any]] = []
    for model in file.models:
        found += [_deployment(model), _endpoints(model, upstreams)]
    return found + [route_object(route) for route in file.routes]


def address_of(upstream: str) -> Address:
    """What stands for its address: two upstreams may be one server with different keys."""
    return (upstream, 0)


def grpc_address_of(upstream: str) -> Address:
    """The same of its port for gRPC."""
    return (upstream, 1)


def dials_of(file: GatewayFile, folder: Path) -> dict[Address, Dial]:
    """How each upstream is reached. Raises SecretMissingError where its key or authority cannot be read."""
    found = {address_of(one.name): _dial(one, one.url, folder) for one in file.upstreams}
    for one in file.upstreams:
        if one.grpc_url is not None:
            found[grpc_address_of(one.name)] = _dial(one, one.grpc_url, folder)
    return found


def _dial(upstream: Upstream, url: str, folder: Path) -> Dial:
    parts = urlsplit(url)
    port = parts.port or SCHEMES[parts.scheme]
    path = parts.path.rstrip("/")
    base = path or VERSION
    authority = (
        parts.netloc if parts.port is None or parts.port != SCHEMES[parts.scheme] else parts.netloc.rpartition(":")[0]
    )
    headers: tuple[tuple[str, str], ...] = ()
    if upstream.api_key is not None:
        headers = (("authorization", f"Bearer {upstream.api_key.read(folder, f'the key of {upstream.name!r}')}"),)
    trusted = _trusted(upstream, url, folder)
    return Dial(
        host=parts.hostname or "",
        port=port,
        authority=authority,
        root=path.removesuffix(VERSION) if upstream.protocol == "OpenAI" else path,
        base=base,
        headers=headers,
        trusted=trusted,
        tls=None if trusted is None else _context(upstream, trusted),
    )


def _trusted(upstream: Upstream, url: str, folder: Path) -> str | None:
    if not url.startswith("https:"):
        return None
    if upstream.ca_file is None:
        return ""
    path = folder / upstream.ca_file
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise SecretMissingError(
            f"ca_file of {upstream.name!r}: cannot read {path} ({error}); put the PEM there"
        ) from None


def _context(upstream: Upstream, trusted: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cadata=trusted or None)
    except ssl.SSLError as error:
        raise SecretMissingError(
            f"ca_file of {upstream.name!r}: holds no certificate ({error}); put the authority there as PEM"
        ) from None


def object_name(served: str) -> str:
    """A name that an object may have: the same where it may be one, else with a digest behind it."""
    if DNS_LABEL.fullmatch(served):
        return served
    plain = re.sub(r"[^a-z0-9]+", "-", served.lower()).strip("-")
    return f"{plain[:50]}-{hashlib.blake2b(served.encode(), digest_size=4).hexdigest()}"


def _deployment(model: Model) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": "ModelDeployment",
        "metadata": {"name": object_name(model.name), "namespace": NAMESPACE},
        "spec": {
            "servedModelName": model.name,
            "aliases": model.aliases,
            "engine": {"maxModelLen": model.max_model_len},
            "routing": {
                "policy": model.routing,
                "idleTimeoutSeconds": model.idle_seconds,
                "requestTimeoutSeconds": model.request_seconds,
            },
            "autoscaling": {
                "minReplicas": 1,
                "coldStart": {"queueLimit": model.queue, "holdSeconds": model.wait_seconds},
            },
        },
        "status": {"project": EVERYBODY, "desiredReplicas": 1},
    }


def _endpoints(model: Model, upstreams: dict[str, Upstream]) -> dict[str, Any]:
    first = upstreams[model.upstreams[0]]
    endpoints = [_endpoint(upstreams[name]) for name in dict.fromkeys(model.upstreams)]
    return {
        "apiVersion": API_VERSION,
        "kind": "EndpointSet",
        "metadata": {"name": object_name(model.name), "namespace": NAMESPACE},
        "spec": {
            "protocol": first.protocol,
            "engine": first.engine,
            "modelName": model.upstream_name or model.name,
            "endpoints": endpoints,
            "traffic": {REVISION: 100},
        },
    }


def _endpoint(upstream: Upstream) -> dict[str, Any]:
    address, port = address_of(upstream.name)
    grpc_port = None if upstream.grpc_url is None else grpc_address_of(upstream.name)[1]
    told = {"pod": upstream.name, "revision": REVISION, "address": address, "port": port, "ready": True}
    return told | {"grpcPort": grpc_port}


def _backends(models: list[Share]) -> list[dict[str, Any]]:
    return [{"deployment": object_name(one.model), "weight": one.weight} for one in models]


def _match(one: ByHeader) -> dict[str, Any]:
    wanted = {"type": "Present"} if one.value is None else {"type": "Exact", "value": one.value}
    return {"headers": [{"name": one.name, **wanted}]}


def _step(step: Step) -> dict[str, Any]:
    inputs = [{"name": one.name, "step": one.step, "output": one.output} for one in step.inputs]
    return {"name": step.name, "deployment": object_name(step.model), "inputs": inputs}


def route_object(route: Route) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "name": "all",
        "fallbacks": [{"deployment": object_name(name)} for name in route.fallbacks],
        "mirrors": [{"deployment": object_name(one.model), "percent": one.percent} for one in route.mirrors],
    }
    if route.sticky:
        rule["sticky"] = {"by": "Key"}
    if route.cache_seconds is not None:
        rule["cache"] = {"lifetimeSeconds": route.cache_seconds}
    if route.hedge is not None:
        rule["hedge"] = {"after": route.hedge.after, "delayMilliseconds": route.hedge.delay_ms}
    return {
        "apiVersion": API_VERSION,
        "kind": "ModelRoute",
        "metadata": {"name": object_name(route.name), "namespace": NAMESPACE},
        "spec": {
            "servedModelName": route.name,
            "rules": [
                *(
                    {**rule, "name": f"header-{number}", "matches": [_match(one)], "backends": _backends(one.models)}
                    for number, one in enumerate(route.by_header)
                ),
                {**rule, "backends": _backends(route.models), "pipeline": [_step(one) for one in route.pipeline]},
            ],
        },
        "status": {"project": EVERYBODY},
    }
