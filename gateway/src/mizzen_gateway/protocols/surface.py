"""Every path that exists, and what is behind it."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from urllib.parse import unquote

from mizzen_gateway.protocols.call import Dialect
from mizzen_gateway.protocols.open_inference.errors import OpenInferenceDialect
from mizzen_gateway.protocols.openai.errors import OpenAIDialect
from mizzen_gateway.stages import Refusal

OPENAI = OpenAIDialect()
OPEN_INFERENCE = OpenInferenceDialect()

Action = Literal[
    "chat.completions", "completions", "responses", "embeddings", "rerank", "score", "classify",
    "audio.transcriptions", "images.generations", "models.list", "models.get",
    "files.create", "files.list", "files.get", "files.delete", "files.content",
    "batches.create", "batches.list", "batches.get", "batches.cancel",
    "infer", "server.live", "server.ready", "server.metadata", "model.metadata", "model.ready",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Route:
    """What a path means."""

    action: Action
    template: str
    """Path without names, for metrics."""
    model: str = ""
    """Name in the path: of a model, or what else is asked for."""
    version: str | None = None
    """Version in the path."""
    public: bool = False
    """Answered without a key: says no more than that somebody listens."""


POSTS: dict[bytes, Route] = {
    b"/v1/chat/completions": Route("chat.completions", "/v1/chat/completions"),
    b"/v1/completions": Route("completions", "/v1/completions"),
    b"/v1/responses": Route("responses", "/v1/responses"),
    b"/v1/embeddings": Route("embeddings", "/v1/embeddings"),
    b"/v1/rerank": Route("rerank", "/v1/rerank"),
    b"/v1/score": Route("score", "/v1/score"),
    b"/v1/classify": Route("classify", "/v1/classify"),
    b"/v1/audio/transcriptions": Route("audio.transcriptions", "/v1/audio/transcriptions"),
    b"/v1/images/generations": Route("images.generations", "/v1/images/generations"),
    b"/v1/files": Route("files.create", "/v1/files"),
    b"/v1/batches": Route("batches.create", "/v1/batches"),
}
STREAMED = frozenset({b"/v1/audio/transcriptions", b"/v1/files"})
"""Paths whose bodies are handed on as they come."""
GETS: dict[bytes, Route] = {
    b"/v1/models": Route("models.list", "/v1/models"),
    b"/v1/files": Route("files.list", "/v1/files"),
    b"/v1/batches": Route("batches.list", "/v1/batches"),
    b"/v2": Route("server.metadata", "/v2"),
    b"/v2/": Route("server.metadata", "/v2"),
    b"/v2/health/live": Route("server.live", "/v2/health/live", public=True),
    b"/v2/health/ready": Route("server.ready", "/v2/health/ready", public=True),
}
REFUSED = {
    b"/v2/repository": "the model repository is managed by whoever runs the gateway, and never through it",
    b"/v2/systemsharedmemory": "shared memory reaches no further than one machine; send tensors in the request",
    b"/v2/cudasharedmemory": "shared memory reaches no further than one machine; send tensors in the request",
    b"/v2/trace": "traces of an engine show other tenants' requests; use the platform's own",
    b"/v2/logging": "logs of an engine show other tenants' requests; whoever runs the engine has them",
    b"/v2/models/stats": "statistics of an engine show other tenants' requests; yours are in the gateway's usage",
}
REFUSED_OF_MODEL = {
    "stats": "statistics of an engine show other tenants' requests; yours are in the gateway's usage",
    "config": "an engine's configuration shows paths inside of it; GET /v2/models/{model} has inputs and outputs",
    "trace/setting": "traces of an engine show other tenants' requests; use the platform's own",
}
ID_LENGTH = 64
KEPT_PATHS: dict[str, tuple[tuple[frozenset[bytes], str, Action], ...]] = {
    "files": (
        (frozenset({b"GET", b"HEAD"}), "", "files.get"),
        (frozenset({b"DELETE"}), "", "files.delete"),
        (frozenset({b"GET"}), "content", "files.content"),
    ),
    "batches": (
        (frozenset({b"GET", b"HEAD"}), "", "batches.get"),
        (frozenset({b"POST"}), "cancel", "batches.cancel"),
    ),
}
"""Methods, what follows the id, and what that means."""
REMEMBERED_BYTES = 256
"""Paths up to that length are remembered, with their routes; they are the callers' own words, so both are bounded."""
GET_METHODS = frozenset({b"GET", b"HEAD"})
KEPT: frozenset[Action] = frozenset(
    {
        "files.create", "files.list", "files.get", "files.delete", "files.content",
        "batches.create", "batches.list", "batches.get", "batches.cancel",
    }
)  # fmt: skip
"""Answered by the control plane, which keeps what they are about."""


def dialect_of(target: bytes) -> Dialect:
    """How a refusal looks for this path."""
    return OPEN_INFERENCE if target.startswith(b"/v2") else OPENAI


def find(method: bytes, path: bytes) -> Route | Refusal:
    """The route of a request; 404 and 405 name what is there."""
    route = POSTS.get(path)
    if route is not None:
        return route if method == b"POST" else _read(method, GETS.get(path))
    route = GETS.get(path)
    if route is not None:
        return route if method in GET_METHODS else wrong_method("GET, HEAD")
    if path.startswith(b"/v1/models/"):
        name = unquote(path[11:].decode("ascii", "replace"))
        route = Route("models.get", "/v1/models/{model}", name)
        return route if method in GET_METHODS else wrong_method("GET, HEAD")
    if path.startswith((b"/v1/files/", b"/v1/batches/")):
        return _find_kept(method, path)
    if path.startswith(b"/v1/responses/"):
        return Refusal(404, "response_not_found", "Path: responses are not kept here, so there is none to ask for.")
    if path.startswith(b"/v2/"):
        return (_remembered_v2 if len(path) <= REMEMBERED_BYTES else _find_v2)(method, path)
    return Refusal(404, "unknown_path", "Path: nothing is here; the APIs are at /v1 (OpenAI) and /v2 (Open Inference).")


def _read(method: bytes, route: Route | None) -> Route | Refusal:
    """Of a path that takes POST."""
    if route is None:
        return wrong_method("POST")
    return route if method in GET_METHODS else wrong_method("GET, HEAD, POST")


def _find_kept(method: bytes, path: bytes) -> Route | Refusal:
    _, _, kind, name, *verbs = path.decode("ascii", "replace").split("/")
    whole = f"/v1/{kind}/{{id}}"
    if not name or len(name) > ID_LENGTH or not name.replace("_", "").replace("-", "").isalnum():
        code, what = ("file_not_found", "file") if kind == "files" else ("batch_not_found", "batch")
        return Refusal(404, code, f"Path: names no {what}; list yours with GET /v1/{kind}.")
    rest = "/".join(verbs)
    routes = [(allowed, action) for allowed, verb, action in KEPT_PATHS[kind] if verb == rest]
    for allowed, action in routes:
        if method in allowed:
            return Route(action, f"{whole}/{rest}" if rest else whole, name)
    if routes:
        return wrong_method(", ".join(sorted(one.decode() for allowed, _ in routes for one in allowed)))
    return Refusal(404, "unknown_path", f"Path: nothing is here; see {whole}.")


def wrong_method(allowed: str) -> Refusal:
    """405."""
    message = f"Method: this path takes {allowed} only."
    return Refusal(405, "method_not_allowed", message, (("allow", allowed),))


def _find_v2(method: bytes, path: bytes) -> Route | Refusal:
    for prefix, why in REFUSED.items():
        if path == prefix or path.startswith(prefix + b"/"):
            return Refusal(403, "not_offered", f"Path: not offered here, because {why}.")
    if not path.startswith(b"/v2/models/"):
        return Refusal(404, "unknown_path", "Path: nothing is here; models are at /v2/models/{model}.")
    rest = unquote(path[11:].decode("ascii", "replace"))
    for verb, why in REFUSED_OF_MODEL.items():
        if rest.endswith("/" + verb):
            return Refusal(403, "not_offered", f"Path: not offered here, because {why}.")
    return _find_model(method, rest)


def _find_model(method: bytes, rest: str) -> Route | Refusal:
    model, slash, verb = rest.rpartition("/")
    if not slash or verb not in {"infer", "ready"}:
        model, verb = rest, ""
    version: str | None = None
    head, marker, number = model.rpartition("/versions/")
    if marker:
        model, version = head, number
        if not number.isascii() or not number.isdigit() or len(number) > 9:
            return Refusal(404, "version_not_found", f"Version '{number[:20]}': must be a number.")
    base = "/v2/models/{model}" + ("/versions/{version}" if version is not None else "")
    if verb == "infer":
        return Route("infer", base + "/infer", model, version) if method == b"POST" else wrong_method("POST")
    if method not in GET_METHODS and "/" in model:
        # A shared model's name holds a slash too: what follows it may be a verb that was mistyped.
        return Refusal(404, "unknown_path", "Path: nothing is here; inference is POST /v2/models/{model}/infer.")
    if method not in GET_METHODS:
        return wrong_method("GET, HEAD")
    if verb == "ready":
        return Route("model.ready", base + "/ready", model, version)
    return Route("model.metadata", base, model, version)


_remembered_v2 = lru_cache(maxsize=4096)(_find_v2)
