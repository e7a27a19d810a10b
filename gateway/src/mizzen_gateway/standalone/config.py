"""What may stand in gateway.yaml? Its models, from the file down; `docs/reference/gateway-file.md` is made of them."""

from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from mizzen_gateway.limits.choice import PROCESS, StoreSettings, why_unusable
from mizzen_gateway.protocols.openai.media_urls import MOST_HOSTS, hosts_of
from mizzen_gateway.settings import DEFAULT_TRACES_SHARE, why_no_collector
from mizzen_gateway.standalone.allowances import Budget, Limit, Price, Project
from mizzen_gateway.standalone.parts import OFF_UNQUOTED, Name, Port, Seconds, Secret, Section, ServedName, Whole

SCHEMES: Final = {"http": 80, "https": 443}
HEADER: Final = r"^[a-z0-9!#$%&'*+.^_`|~-]+$"


def _upstream_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"is no URL ({error}); write it as http://host:8000/v1") from None
    if parts.scheme not in SCHEMES or not parts.hostname or port == 0:
        raise ValueError("must begin with http:// or https:// and name a host, as in http://127.0.0.1:8000/v1")
    if parts.username is not None or parts.query or parts.fragment or not url.isascii() or not url.isprintable():
        raise ValueError("must be scheme, host, port and path alone, in ASCII; the upstream's key goes into `api_key`")
    return url.rstrip("/")


OF_ONE_CALL: Final = ("/chat/completions", "/completions", "/embeddings", "/responses", "/rerank", "/infer")


def _media_hosts(names: list[str]) -> list[str]:
    return sorted(hosts_of(names))


def _grpc_url(url: str) -> str:
    if urlsplit(_upstream_url(url)).path.strip("/"):
        raise ValueError("must be scheme, host and port alone: gRPC has no paths of one's own")
    return url.rstrip("/")


UpstreamUrl = Annotated[str, StringConstraints(max_length=1000), AfterValidator(_upstream_url)]
GrpcUrl = Annotated[str, StringConstraints(max_length=1000), AfterValidator(_grpc_url)]


class Upstream(Section):
    """A server that runs models."""

    name: Name
    """Unique in the file; usage rows and metrics say it."""
    url: UpstreamUrl
    """As OpenAI clients write it: http://127.0.0.1:8000/v1; without a path, /v1 is meant. OpenInference: the root."""
    protocol: Literal["OpenAI", "OpenInference"] = "OpenAI"
    """What it speaks: /v1 or /v2."""
    grpc_url: GrpcUrl | None = None
    """Where a Triton speaks gRPC, such as http://127.0.0.1:8001 (https: with TLS), for models that answer one request
    several times (decoupled)."""
    engine: Literal["vLLM", "Triton", "OpenAI", "Other"] = "Other"
    """`vLLM` gets a prefix cache of its own for each project (`cache_salt`) and counts prompts of callers who left.
    `OpenAI` (that company's own API) gets a hard budget's cap as `max_completion_tokens` alone: it refuses two."""
    api_key: Secret | None = None
    """Where its key is; sent as `Authorization: Bearer ...`."""
    ca_file: Path | None = None
    """PEM file with the authority of its certificate, instead of those that the system trusts."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        urls = [self.url] if self.grpc_url is None else [self.url, self.grpc_url]
        if self.ca_file is not None and not any(url.startswith("https:") for url in urls):
            raise ValueError("ca_file belongs to an https:// url; this one begins with http://")
        if self.url.endswith(OF_ONE_CALL):
            raise ValueError("url: is the path of one call; end it where all of them begin, as in http://host:8000/v1")
        if self.engine == "Triton" and "protocol" not in self.model_fields_set:
            raise ValueError(
                "engine: Triton speaks the Open Inference Protocol: add `protocol: OpenInference`, or"
                " `protocol: OpenAI` where this is its OpenAI frontend"
            )
        if self.protocol == "OpenInference" and self.url.endswith("/v2"):
            raise ValueError("url: calls add /v2 themselves; leave it out, as in http://host:8000")
        if self.api_key is not None and any(url.startswith("http:") and not _is_local(url) for url in urls):
            raise ValueError("api_key would travel unencrypted: use https://, or take the key out where none is needed")
        if self.grpc_url is not None and self.protocol != "OpenInference":
            raise ValueError("grpc_url belongs to `protocol: OpenInference`; the OpenAI API has no gRPC")
        return self


def _is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.")


class Model(Section):
    """A name that callers use, and who answers."""

    name: ServedName
    """What callers put into `model`."""
    upstreams: Annotated[list[Name], Field(min_length=1, max_length=256)]
    """Upstreams that have it, all alike; requests are spread over them."""
    upstream_name: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    """What the upstreams call it; by default the same."""
    aliases: Annotated[list[ServedName], Field(max_length=16)] = []
    """Further names."""
    max_model_len: Annotated[Whole, Field(ge=1, le=100_000_000)] | None = None
    """Longest context in tokens: bounds what a hard budget holds back."""
    routing: Literal["LeastLoad", "PrefixAffinity", "SessionAffinity"] = "LeastLoad"
    """Which upstream takes a request."""
    wait_seconds: Seconds = 5.0
    """How long a request waits where no upstream answers, before 503."""
    queue: Annotated[Whole, Field(ge=0, le=100_000)] = 1000
    """Requests that wait so at most."""
    idle_seconds: Seconds = 60.0
    """An answer that sends nothing for so long is ended."""
    request_seconds: Seconds = 0.0
    """A request that takes longer is ended; 0 for no limit."""
    limits: Annotated[list[Limit], Field(max_length=50)] = []
    """Counted over this model, whoever calls it."""
    budgets: Annotated[list[Budget], Field(max_length=20)] = []
    """Spent on this model, whoever calls it."""


class Share(Section):
    """One model behind a route."""

    model: ServedName
    """Name of a model of this file."""
    weight: Annotated[Whole, Field(ge=0, le=1000)] = 1
    """Share of the requests, relative to the others."""


class Hedge(Section):
    """A second upstream that is asked too where the first does not begin to answer; who begins first answers."""

    after: Literal["P95", "Delay"] = "P95"
    """P95: when 95 of 100 recent answers of the model had begun, not while that is unknown. Delay: after `delay_ms`."""
    delay_ms: Annotated[Whole, Field(ge=10, le=60_000)]
    """Milliseconds: for Delay how long it waits, for P95 how long at least."""


class ByHeader(Section):
    """Requests with a header that go to other models; all else of the route holds for them too."""

    name: Annotated[str, StringConstraints(max_length=128, pattern=HEADER)]
    """Of the header, in lower case; none that carries credentials."""
    value: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    """Its value; by default any."""
    models: Annotated[list[Share], Field(min_length=1, max_length=16)]
    """Who answers, by weight."""


class Copy(Section):
    """A model that gets copies; its answers are dropped, and callers neither wait nor pay for them."""

    model: ServedName
    """Name of a model of this file."""
    percent: Annotated[Whole, Field(ge=1, le=100)] = 100
    """Share of the requests that is copied."""


class StepInput(Section):
    """One input of a step."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    """Input of the step's model: a tensor, or `prompt` of a language model."""
    step: Name
    """Earlier step that it comes from, or `request` for what the caller sent."""
    output: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    """Output of that step: a tensor, or `text` of a language model."""


class Step(Section):
    """One of several models that a request goes through; the last one's output is the answer."""

    name: Name
    """Unique in the pipeline; `request` is taken."""
    model: ServedName
    """Name of a model of this file."""
    inputs: Annotated[list[StepInput], Field(max_length=8)] = []
    """Where its inputs come from; by default all from the step before."""


class Route(Section):
    """A name that leads to several models."""

    name: ServedName
    """What callers put into `model`."""
    models: Annotated[list[Share], Field(max_length=16)] = []
    """Who answers, by weight; either these or `pipeline`."""
    pipeline: Annotated[list[Step], Field(max_length=8)] = []
    """Models one after the other, instead of `models`."""
    by_header: Annotated[list[ByHeader], Field(max_length=8)] = []
    """Requests that go elsewhere for a header; the first that fits counts."""
    mirrors: Annotated[list[Copy], Field(max_length=2)] = []
    """Who gets copies of requests."""
    fallbacks: Annotated[list[ServedName], Field(max_length=4)] = []
    """Who answers, in this order, where those do not: before the first byte only."""
    sticky: bool = False
    """A key keeps to one of the models."""
    cache_seconds: Annotated[Whole, Field(ge=1, le=86_400)] | None = None
    """How long answers that are not drawn by chance are given again."""
    hedge: Hedge | None = None
    """A second upstream beside one that is slow to begin; by default none."""


class Listen(Section):
    """Ports."""

    host: Annotated[str, StringConstraints(min_length=1, max_length=255)] = "127.0.0.1"
    """Address of both ports; 0.0.0.0 for all."""
    port: Port = 8480
    """For callers."""
    admin_port: Port = 8481
    """/healthz, /readyz, /metrics: not for callers."""
    grpc_port: Port | None = None
    """For the Open Inference Protocol over gRPC."""
    tls_dir: Path | None = None
    """Folder with tls.crt and tls.key; a renewed pair is taken up within 10 s."""
    workers: Annotated[Whole, Field(ge=0, le=64)] = 0
    """Processes on the port; more than one need a shared `limits_store`."""


class LimitsStore(Section):
    """Where limits are counted."""

    url: Annotated[str, StringConstraints(max_length=1000)] = PROCESS
    """`process`, or redis://, rediss://, valkey://, valkeys://, postgresql:// of a server that gateways share."""
    password: Secret | None = None
    """Where its password is."""
    hold_seconds: Annotated[float, Field(ge=1, le=3600)] = 60.0
    """How long a gateway that is gone holds what its requests had taken."""

    @model_validator(mode="after")
    def _usable(self) -> Self:
        fault = why_unusable(StoreSettings(address=self.url))
        if fault is not None:
            raise ValueError(f"url: {fault}")
        if self.url != PROCESS and urlsplit(self.url).password is not None:
            raise ValueError("url: holds a password; say in `password` where it is: {env: NAME} or {file: path}")
        return self


class Metering(Section):
    """Usage: one row a request, kept in `usage.db` of the data folder."""

    keep_days: Annotated[Whole, Field(ge=1, le=36_500)] = 400
    """Older rows are removed; what budgets have spent stays."""
    fsync_seconds: Annotated[float, Field(ge=0, le=60)] = 0.1
    """How much a power cut may lose; 0 leaves it to the system."""
    spool_max_bytes: Annotated[Whole, Field(ge=1024 * 1024)] = 2048 * 1024 * 1024
    """Rows that cannot be written pile up to that size; then nothing new is admitted."""


class Timeouts(Section):
    """How long callers and upstreams may take, in seconds."""

    first_byte: Annotated[float, Field(gt=0, le=86_400)] = 600.0
    """An upstream, before its first byte."""
    header: Annotated[float, Field(gt=0, le=3600)] = 10.0
    """A caller, to send the header."""
    body: Annotated[float, Field(gt=0, le=3600)] = 30.0
    """A caller, to send the body, beside a second for each 64 KiB."""
    keep_alive: Annotated[float, Field(gt=0, le=3600)] = 75.0
    """A connection, between two requests."""
    write: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """A caller who takes no byte of its answer."""
    drain: Annotated[float, Field(ge=0, le=3600)] = 25.0
    """Requests under way, after SIGTERM."""


class Overload(Section):
    """What becomes of more requests than upstreams can answer."""

    admission: Annotated[Literal["measured", "off"], OFF_UNQUOTED] = "measured"
    """`measured`: they wait in fair order, and are refused where too many wait; `off`: upstreams get all of them."""
    replica_requests: Annotated[Whole, Field(ge=0, le=100_000)] = 0
    """Requests that an upstream has at once at most, from all gateways; 0: as many as are found to be worth it."""
    queue_seconds: Annotated[float, Field(ge=0, le=600)] = 2.0
    """As many interactive requests wait as are answered in that time, half of that of standard ones, a fifth of
    batch."""


def _traces_url(url: str) -> str:
    fault = why_no_collector(url)
    if fault is not None:
        raise ValueError(fault)
    return url


def _share(value: Any) -> Any:
    """YAML reads an unquoted `off` as false, and `on` as true, which would not say how much."""
    if value is False:
        return "off"
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value not in ("off", "all") and not (number and 0 <= value <= 1):
        raise ValueError("must be `off`, `all`, or a share of the requests from 0 to 1, such as 0.05")
    return value


class CollectorHeader(Section):
    """A header that a collector asks for."""

    name: Annotated[str, StringConstraints(pattern=HEADER)]
    """In lower case, such as `authorization`."""
    value: Secret
    """Where its value is."""


class Traces(Section):
    """Spans of requests, for OpenTelemetry."""

    url: Annotated[str, StringConstraints(max_length=1000), AfterValidator(_traces_url)]
    """Collector: OTLP over HTTP with its path, as in http://127.0.0.1:4318/v1/traces."""
    share: Annotated[float, Field(ge=0, le=1)] = DEFAULT_TRACES_SHARE
    """Of the requests whose callers send no `traceparent`, those that are recorded."""
    headers: Annotated[list[CollectorHeader], Field(max_length=16)] = []
    """What the collector asks for."""
    ca: Path | None = None
    """PEM file with the authority of its certificate, relative to the file; without it those that the system trusts."""
    prompts: bool = False
    """Spans hold what callers asked."""


class GatewayFile(Section):
    """The whole file."""

    name: Name = "gateway"
    """Of this gateway: the same for all that share a `limits_store` and should count together."""
    listen: Listen = Listen()
    """Ports."""
    data_dir: Path = Path("data")
    """Spool and usage, for this gateway alone; relative to the file."""
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = "USD"
    """Of all money in the file."""
    time_zone: Annotated[str, StringConstraints(max_length=64)] = "UTC"
    """Where days, weeks and months of budgets begin at midnight."""
    pepper: Secret | None = None
    """Where a secret is that digests of keys depend on; by default there is none."""
    upstreams: Annotated[list[Upstream], Field(min_length=1, max_length=1000)]
    """Servers that run models."""
    models: Annotated[list[Model], Field(min_length=1, max_length=1000)]
    """Names that callers use."""
    routes: Annotated[list[Route], Field(max_length=200)] = []
    """Names that lead to several models."""
    projects: Annotated[list[Project], Field(min_length=1, max_length=10_000)]
    """Who calls."""
    limits: Annotated[list[Limit], Field(max_length=50)] = []
    """Counted over all callers together."""
    budgets: Annotated[list[Budget], Field(max_length=20)] = []
    """Spent by all callers together."""
    prices: Annotated[list[Price], Field(max_length=1000)] = []
    """What models cost; without any, nothing does."""
    limits_store: LimitsStore = LimitsStore()
    """Where limits are counted."""
    metering: Metering = Metering()
    """Usage."""
    timeouts: Timeouts = Timeouts()
    """How long callers and upstreams may take."""
    overload: Overload = Overload()
    """What becomes of more requests than upstreams can answer."""
    traces: Traces | None = None
    """Spans of requests; by default none are made."""
    max_body_bytes: Annotated[Whole, Field(ge=1024, le=1 << 40)] = 64 * 1024 * 1024
    """Size of a request's body."""
    receiving_bytes: Annotated[Whole, Field(ge=1024, le=1 << 40)] = 192 * 1024 * 1024
    """Bytes of bodies and of messages of gRPC that are not whole yet, of all callers together, half of it for one key;
    one body always has room."""
    access_log: Annotated[Annotated[float, Field(ge=0, le=1)] | Literal["off", "all"], BeforeValidator(_share)] = "off"
    """`all`, or a share of the requests from 0 to 1: one JSON line each on standard output; of a share, those that
    end in 5xx are all there."""
    media_hosts: Annotated[list[str], Field(max_length=MOST_HOSTS), AfterValidator(_media_hosts)] = []
    """Hosts that callers may have upstreams fetch pictures, sounds and files from, by https; by default none."""
    forward_headers: Annotated[list[Annotated[str, StringConstraints(pattern=HEADER)]], Field(max_length=32)] = []
    """Headers of callers that upstreams see; by default none."""
