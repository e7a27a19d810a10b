"""Which ModelRoutes are refused although each field alone is right? One row a rule."""

import re
from collections.abc import Iterable
from typing import Any, Final

from mizzen_crds.rules import Rule
from mizzen_crds.v1alpha1.model_deployment.rules import RESERVED_NAMES
from mizzen_crds.v1alpha1.model_route.route_rule import MOST_STEPS
from mizzen_crds.v1alpha1.naming import SHORT_NAME_RULE

REQUEST_STEP: Final = "request"
"""In a pipeline's inputs: what the caller sent."""

_RESERVED = "[" + ", ".join(f"'{name}'" for name in RESERVED_NAMES) + "]"
_RESERVED_MESSAGE = "the name `versions` is reserved, because it is a part of the protocols' paths; choose another"
_ONE_TARGET = "exactly one of deployment, model and route must be set; add one, or remove the others"
_ONE_TARGET_CEL = "(has(self.deployment) ? 1 : 0) + (has(self.model) ? 1 : 0) + (has(self.route) ? 1 : 0) == 1"
_CREDENTIALS = "^(authorization|proxy-authorization|cookie|api-key|x-api-key|x-goog-api-key)$"


def _step_knows_earlier_ones(position: int) -> str:
    """CEL for one step. Written out step by step: looking names up in a loop costs more than an API server allows."""
    names = [f"'{REQUEST_STEP}'", *(f"self.pipeline[{earlier}].name" for earlier in range(position))]
    inputs = f"self.pipeline[{position}].inputs.all(i, i.step in [{', '.join(names)}])"
    return f"(self.pipeline.size() <= {position} || {inputs})"


def _distinct(values: Iterable[object]) -> bool:
    listed = list(values)
    return len(listed) == len(set(listed))


def _one_target(it: Any) -> bool:
    return sum(target is not None for target in (it.deployment, it.model, it.route)) == 1


def _catch_all_is_last(it: Any) -> bool:
    return all(rule.matches for rule in it.rules[:-1])


def _inputs_come_from_before(it: Any) -> bool:
    known = {REQUEST_STEP}
    for step in it.pipeline:
        if any(entry.step not in known for entry in step.inputs):
            return False
        known.add(step.name)
    return True


def _first_byte_within_request(it: Any) -> bool:
    return not it.request_seconds or not it.first_byte_seconds or it.first_byte_seconds <= it.request_seconds


ROUTE_ROOT_RULES: Final = (
    SHORT_NAME_RULE,
    Rule(
        "",
        "metadata.name",
        _RESERVED_MESSAGE + ", or set spec.servedModelName",
        f"has(self.spec.servedModelName) || !(self.metadata.name in {_RESERVED})",
        lambda it: it.spec.served_model_name is not None or it.metadata.name not in RESERVED_NAMES,
    ),
)
"""Rules that need the object's metadata."""

TARGET_RULES: Final = tuple(
    Rule(f"spec.rules.[].{place}.[]", "", _ONE_TARGET, _ONE_TARGET_CEL, _one_target)
    for place in ("backends", "fallbacks", "mirrors", "pipeline")
)
"""The same of everything that may answer."""

ROUTE_RULES: Final = (
    Rule(
        "spec",
        "servedModelName",
        _RESERVED_MESSAGE,
        f"!has(self.servedModelName) || !(self.servedModelName in {_RESERVED})",
        lambda it: it.served_model_name not in RESERVED_NAMES,
    ),
    Rule(
        "spec",
        "rules",
        "two rules have one name; rename one",
        "",
        lambda it: _distinct(rule.name for rule in it.rules),
    ),
    Rule(
        "spec",
        "rules",
        "a rule without matches takes every request, so those after it would never be reached; put it last",
        "self.rules.all(r, r.matches.size() > 0 || r.name == self.rules[self.rules.size() - 1].name)",
        _catch_all_is_last,
    ),
    Rule(
        "spec.rules.[]",
        "backends",
        "exactly one of backends and pipeline must be set; add one, or remove the other",
        "(self.backends.size() > 0) != (self.pipeline.size() > 0)",
        lambda it: bool(it.backends) != bool(it.pipeline),
    ),
    Rule(
        "spec.rules.[]",
        "backends",
        "at least 1 weight must be above 0; raise one, or remove the rule",
        "self.backends.size() == 0 || self.backends.exists(b, b.weight > 0)",
        lambda it: not it.backends or any(backend.weight for backend in it.backends),
    ),
    *TARGET_RULES,
    Rule(
        "spec.rules.[].matches.[].headers.[]",
        "value",
        "must be set with type Exact or Prefix, and only then; add it, or remove it",
        "(self.type == 'Present') != has(self.value)",
        lambda it: (it.type == "Present") != (it.value is not None),
    ),
    Rule(
        "spec.rules.[].matches.[].headers.[]",
        "name",
        "headers that carry credentials cannot be matched, because their values would stand here; choose another",
        f"!self.name.matches('{_CREDENTIALS}')",
        lambda it: re.fullmatch(_CREDENTIALS, it.name) is None,
    ),
    Rule(
        "spec.rules.[].matches.[]",
        "headers",
        "two entries have one name; remove one",
        "",
        lambda it: _distinct(header.name for header in it.headers),
    ),
    Rule(
        "spec.rules.[].sticky",
        "header",
        "must be set with by Header, and only then; add it, or remove it",
        "(self.by == 'Header') == has(self.header)",
        lambda it: (it.by == "Header") == (it.header is not None),
    ),
    Rule(
        "spec.rules.[].sticky",
        "header",
        "headers that carry credentials cannot be used, because they should reach no hash; choose by Key",
        f"!has(self.header) || !self.header.matches('{_CREDENTIALS}')",
        lambda it: it.header is None or re.fullmatch(_CREDENTIALS, it.header) is None,
    ),
    Rule(
        "spec.rules.[]",
        "hedge",
        "asks a second endpoint, which retries.attempts 0 forbids; raise attempts, or remove hedge",
        "!has(self.hedge) || !has(self.retries) || !has(self.retries.attempts) || self.retries.attempts > 0",
        lambda it: it.hedge is None or it.retries.attempts > 0,
    ),
    Rule(
        "spec.rules.[].timeouts",
        "firstByteSeconds",
        "must be at most requestSeconds; lower it, or raise requestSeconds",
        "!has(self.firstByteSeconds) || !has(self.requestSeconds) || self.requestSeconds == 0 || "
        "self.firstByteSeconds <= self.requestSeconds",
        _first_byte_within_request,
    ),
    Rule(
        "spec.rules.[]",
        "pipeline",
        "the name `request` means what the caller sent; rename the step",
        f"!self.pipeline.exists(s, s.name == '{REQUEST_STEP}')",
        lambda it: all(step.name != REQUEST_STEP for step in it.pipeline),
    ),
    Rule(
        "spec.rules.[]",
        "pipeline",
        "two steps have one name; rename one",
        "",
        lambda it: _distinct(step.name for step in it.pipeline),
    ),
    Rule(
        "spec.rules.[]",
        "pipeline",
        "an input must come from an earlier step or from `request`; correct its step, or reorder the steps",
        " && ".join(map(_step_knows_earlier_ones, range(MOST_STEPS))),
        _inputs_come_from_before,
    ),
    Rule(
        "spec.rules.[].pipeline.[]",
        "inputs",
        "two inputs have one name; remove one",
        "",
        lambda it: _distinct(entry.name for entry in it.inputs),
    ),
)
"""Every rule about one spec."""
