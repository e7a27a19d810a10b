"""What does an operator see of an engine that fails? A warning a minute for each endpoint and cause, with the remedy.

Callers are told little, and nothing in an engine's own words; nothing that a caller or an engine said is here either.
"""

import time
from collections.abc import Callable

import structlog

from mizzen_gateway.engine.dial import Dial
from mizzen_gateway.engine.exchange import EngineFailureError
from mizzen_gateway.engine.pool import EnginePool
from mizzen_gateway.routing.endpoint import EndpointState
from mizzen_gateway.routing.target import Target

QUIET_SECONDS = 60.0
"""After a warning, for the same endpoint and cause."""
MOST_REMEMBERED = 4096
"""Endpoints and causes; beyond it those are forgotten that could warn again."""
LONGEST_CAUSE = 300
KEY_REFUSED = frozenset({401, 403})
TOLD = frozenset({401, 403, 404, 405, 408, 429, 501})
"""Statuses below 500, and 501, that say more of the engine, or of how it is named here, than of a request."""
REDIRECTS = range(300, 400)
CERTIFICATE = "CERTIFICATE_VERIFY_FAILED"

Problem = int | str
"""A status, or the kind of an `EngineFailureError`, with `certificate` for one that nobody vouches for."""

log = structlog.get_logger(__name__)


class FailureLog:
    """Of one gateway process."""

    def __init__(self, pool: EnginePool, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._clock = clock
        self._told: dict[tuple[object, ...], list[float]] = {}
        """By endpoint and problem: when it was told last, and how often it was not since."""

    def answered(self, target: Target, endpoint: EndpointState, operation: str, status: int) -> None:
        """It answered with a status that no caller is shown, or with what is no answer."""
        if status in TOLD or status in REDIRECTS or status >= 500:
            self._warn(target, endpoint, status, f"answered {status} to {operation}")
        elif status == 200:
            self._warn(target, endpoint, status, f"answered {operation} with an error, or with what is no answer to it")

    def failed(self, target: Target, endpoint: EndpointState, failure: EngineFailureError) -> None:
        """It gave no whole answer."""
        cause = str(failure)
        self._warn(target, endpoint, "certificate" if CERTIFICATE in cause else failure.kind, cause)

    def _warn(self, target: Target, endpoint: EndpointState, problem: Problem, cause: str) -> None:
        facts, now = target.facts, self._clock()
        key = (facts.key, endpoint.facts.pod, problem)
        told = self._told.get(key)
        if told is not None and now < told[0] + QUIET_SECONDS:
            told[1] += 1
            return
        self._forget(now)
        self._told[key] = [now, 0]
        more = {"cause": cause[:LONGEST_CAUSE]}
        if told is not None and told[1]:
            more["not_told_since"] = str(int(told[1]))
        dial = self._pool.dial_of(endpoint.address)
        if dial is None:
            log.warning(
                "engine failed",
                deployment="/".join(facts.key),
                model=target.name,
                revision=endpoint.facts.revision,
                endpoint=endpoint.facts.pod,
                address=f"{endpoint.facts.address}:{endpoint.facts.port}",
                remedy=remedy_for_pod(problem, target.endpoint_set.model_name),
                **more,
            )
        else:
            remedy = remedy_in_file(problem, endpoint.facts.pod, target.name, target.endpoint_set.model_name)
            log.warning(
                "upstream failed",
                upstream=endpoint.facts.pod,
                url=url_of(dial),
                model=target.name,
                remedy=remedy,
                **more,
            )

    def _forget(self, now: float) -> None:
        if len(self._told) >= MOST_REMEMBERED:
            self._told = {key: told for key, told in self._told.items() if now < told[0] + QUIET_SECONDS}
        if len(self._told) >= MOST_REMEMBERED:
            self._told.clear()


def url_of(dial: Dial) -> str:
    """Where an upstream is, without what a URL could hide."""
    host = f"[{dial.host}]" if ":" in dial.host else dial.host
    return f"{'http' if dial.trusted is None else 'https'}://{host}:{dial.port}{dial.root}"


def remedy_in_file(problem: Problem, upstream: str, model: str, upstream_name: str) -> str:
    """What of gateway.yaml to look at."""
    if isinstance(problem, int):
        if problem in KEY_REFUSED:
            return f"see upstreams[{upstream}].api_key: the upstream does not take it, or wants one"
        if problem in {404, 405, 501}:
            return (
                f"see models[{model}].upstream_name, whether the upstream has a model {upstream_name!r}, and"
                f" upstreams[{upstream}].url and its protocol, whether its paths begin there and it speaks that"
            )
        if problem in REDIRECTS:
            return (
                f"see upstreams[{upstream}].url: it is redirected, which nobody follows; name the place itself (https?)"
            )
        if problem == 429:
            return "the upstream takes no more for now: give the model another upstream, or limit its callers"
        return "see the upstream's own log"
    return {
        "connect": f"see that it runs, and upstreams[{upstream}].url",
        "certificate": f"name the authority of its certificate in upstreams[{upstream}].ca_file",
        "timeout": f"see the upstream's own log; timeouts.first_byte and models[{model}].idle_seconds say how long",
        "malformed": f"see upstreams[{upstream}].url: whether it is http or https, and that port",
    }.get(problem, "see the upstream's own log")


def remedy_for_pod(problem: Problem, engine_model: str) -> str:
    """What of a deployment to look at."""
    if isinstance(problem, int):
        if problem in KEY_REFUSED:
            return "engines get no key from gateways: see the command and arguments of its runtime"
        if problem in {404, 405, 501}:
            return f"see whether the engine has a model {engine_model!r} (its log), and the endpoint that was asked"
        if problem == 429:
            return "the engine takes no more for now: give the deployment more replicas, or limit its callers"
        return "see the log of the pod"
    return {
        "connect": "see that the pod runs, and that a NetworkPolicy lets gateways reach that port",
        "certificate": "engines in pods are asked over plain HTTP: see the port of its runtime",
        "timeout": "see the log of the pod; MIZZEN_FIRST_BYTE_TIMEOUT_SECONDS and spec.routing.idleTimeoutSeconds say"
        " how long",
    }.get(problem, "see the log of the pod")
