"""Which requests take which way? Matches, retries and time-outs of one rule of a route."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from mizzen_crds.v1alpha1.metadata import DnsLabel
from mizzen_crds.v1alpha1.model_route.backends import Fallback, Mirror, PipelineStep, WeightedBackend
from mizzen_crds.wire import AS_SET, Resource, WholeNumber, keyed_by

HEADER_PATTERN = r"^[a-z0-9!#$%&'*+.^_`|~-]+$"
MOST_STEPS = 8
"""Of a pipeline."""

Seconds = Annotated[WholeNumber, Field(ge=0, le=86_400)]


class HeaderMatchType(StrEnum):
    """How a header is compared."""

    EXACT = "Exact"
    PREFIX = "Prefix"
    PRESENT = "Present"


class HeaderMatch(Resource):
    """A header that a request must have."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=HEADER_PATTERN)]
    """Name in lower case; requests are matched in any case. Headers that carry credentials are refused."""
    type: HeaderMatchType = HeaderMatchType.EXACT
    """Exact and Prefix compare the value, Present takes any."""
    value: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    """Value, for Exact and Prefix."""


class RouteMatch(Resource):
    """What a request must have, all of it."""

    headers: Annotated[list[HeaderMatch], Field(min_length=1, max_length=8, json_schema_extra=keyed_by("name"))]
    """Headers, all of which must match."""


class RetryCause(StrEnum):
    """Why a request is tried again."""

    CONNECTION_FAILED = "ConnectionFailed"
    UNAVAILABLE = "Unavailable"
    OVERLOADED = "Overloaded"


class Retries(Resource):
    """Further tries on another endpoint, before the first byte of an answer only."""

    attempts: Annotated[WholeNumber, Field(ge=0, le=5)] = 1
    """Tries after the first one; 0 for none."""
    causes: Annotated[list[RetryCause], Field(max_length=3, json_schema_extra=AS_SET)] = []
    """Unavailable: 502, 503 or 504. Overloaded: 429. Empty: ConnectionFailed and Unavailable."""


class HedgeAfter(StrEnum):
    """How long a hedge waits."""

    P95 = "P95"
    DELAY = "Delay"


class Hedge(Resource):
    """A second endpoint that is asked too where the first does not begin to answer; who begins first answers."""

    after: HedgeAfter = HedgeAfter.P95
    """P95: when 95 of 100 recent answers of the revision had begun; none is sent while that is not known. Delay:
    after `delayMilliseconds`."""
    delay_milliseconds: Annotated[WholeNumber, Field(ge=10, le=60_000)]
    """For Delay how long it waits, for P95 how long at least."""


class Timeouts(Resource):
    """How long a request may take; absent ones are the deployment's own."""

    request_seconds: Seconds | None = None
    """From the request to the end of the answer, over all tries; 0 for no limit."""
    first_byte_seconds: Seconds | None = None
    """Until the first byte of the answer, for each try; 0 for no limit."""
    idle_seconds: Seconds | None = None
    """Between two parts of an answer; 0 for no limit."""


class StickyBy(StrEnum):
    """What keeps requests together."""

    KEY = "Key"
    HEADER = "Header"


class Sticky(Resource):
    """Requests that stay with one backend, as long as it takes requests; the shares stay those of the weights."""

    by: StickyBy = StickyBy.KEY
    """Key: all requests of an API key. Header: all with the same value of a header; those without it go by chance."""
    header: Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=HEADER_PATTERN)] | None = None
    """Name in lower case, for Header. Headers that carry credentials are refused."""


class CachedOutputs(StrEnum):
    """Which answers are kept."""

    DETERMINISTIC = "Deterministic"
    SAMPLED = "Sampled"


class ResponseCache(Resource):
    """Answers that are given again to the same request of the same project, without an engine's work."""

    lifetime_seconds: Annotated[WholeNumber, Field(ge=1, le=86_400)] = 300
    """How long an answer is given again."""
    outputs: CachedOutputs = CachedOutputs.DETERMINISTIC
    """Deterministic: embeddings and their like, and generation at temperature 0. Sampled: all generation."""


class RouteRule(Resource):
    """One way: backends by weight, or a pipeline."""

    name: DnsLabel
    """Name, unique in the route; status, metrics and traces name it."""
    matches: Annotated[list[RouteMatch], Field(max_length=8)] = []
    """Requests that take this way: those of any entry; none given: all requests. The first rule that matches counts."""
    backends: Annotated[list[WeightedBackend], Field(max_length=16)] = []
    """What answers, by weight. Exactly one of backends and pipeline."""
    fallbacks: Annotated[list[Fallback], Field(max_length=4)] = []
    """What answers when the backends do not, in this order; of a pipeline, the whole request when a step fails."""
    mirrors: Annotated[list[Mirror], Field(max_length=2)] = []
    """What gets copies of requests; of a pipeline, of the whole request."""
    pipeline: Annotated[list[PipelineStep], Field(max_length=MOST_STEPS, json_schema_extra=keyed_by("name"))] = []
    """Models one after the other. Exactly one of backends and pipeline."""
    sticky: Sticky | None = None
    """Who stays with one backend; by default each request goes by chance. Not with a pipeline."""
    cache: ResponseCache | None = None
    """Answers that are kept; by default none."""
    retries: Retries = Retries()
    """Further tries."""
    hedge: Hedge | None = None
    """A second endpoint beside one that is slow to begin; by default none. Taken from what retries may use."""
    timeouts: Timeouts = Timeouts()
    """How long a request may take."""
