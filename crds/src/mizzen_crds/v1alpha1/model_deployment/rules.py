"""Which ModelDeployments are refused although each field alone is right? One row a rule."""

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, Final

from mizzen_crds.mistakes import Mistake
from mizzen_crds.rules import ChangeRule, Rule, refused_changes
from mizzen_crds.v1alpha1.model_deployment.environment import ENV_REFUSAL, env_refused, env_refused_cel
from mizzen_crds.v1alpha1.model_deployment.pod_marks import MARK_REFUSAL, mark_refused, marks_refused_cel
from mizzen_crds.v1alpha1.model_deployment.rollout import CanaryStep
from mizzen_crds.v1alpha1.model_deployment.source import CLAIM_URI_PATTERN

RESERVED_NAMES: Final = ("versions",)
"""Served names that would hide a part of the inference protocols' paths."""

_RESERVED = "[" + ", ".join(f"'{name}'" for name in RESERVED_NAMES) + "]"
_RESERVED_MESSAGE = "the name `versions` is reserved, because it is a part of the protocols' paths; choose another"


def _one(*values: object) -> bool:
    return sum(value is not None for value in values) == 1


def _distinct(values: Iterable[object]) -> bool:
    listed = list(values)
    return len(listed) == len(set(listed))


def _ordered(low: int | None, high: int | None) -> bool:
    return low is None or high is None or low <= high


def _ascending(steps: list[CanaryStep]) -> bool:
    percents = [step.traffic_percent for step in steps]
    return all(one < next_one for one, next_one in pairwise(percents))


_ONE_SOURCE = "exactly one of versionRef and uri must be set; add one, or remove the other"
_ONE_SOURCE_CEL = "has(self.versionRef) != has(self.uri)"
_CLAIM_URI = (
    "pvc:// must name a claim (lower-case letters, digits and `-`, at most 63) and then a path without empty parts, "
    "`.` and `..`, as in pvc://claim/folder; correct it"
)
_CLAIM_URI_CEL = f"!has(self.uri) || !self.uri.startsWith('pvc://') || self.uri.matches('{CLAIM_URI_PATTERN}')"
_ONE_VERSION = "exactly one of version and alias must be set; add one, or remove the other"
_ONE_VERSION_CEL = "has(self.version) != has(self.alias)"


def _stays_in_claim(uri: str | None) -> bool:
    return uri is None or not uri.startswith("pvc://") or re.fullmatch(CLAIM_URI_PATTERN, uri) is not None


def _accelerators_match(spec: Any) -> bool:
    split, per_pod = spec.engine.parallelism, spec.resources.accelerators_per_pod
    replica = per_pod * (spec.multi_node.size if spec.multi_node else 1)
    product = split.tensor * split.pipeline * split.data
    return bool(spec.engine.type != "vLLM" or product == (replica if per_pod else 1))


_ACCELERATORS_CEL = (
    "self.engine.type != 'vLLM' || "
    "self.engine.parallelism.tensor * self.engine.parallelism.pipeline * self.engine.parallelism.data == "
    "(self.resources.acceleratorsPerPod == 0 ? 1 : "
    "self.resources.acceleratorsPerPod * (has(self.multiNode) ? self.multiNode.size : 1))"
)

ROOT_RULES: Final = (
    Rule(
        "",
        "metadata.name",
        "must have at most 63 characters and no dot, because pods, labels and addresses are named after it; shorten it",
        "self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')",
        lambda it: len(it.metadata.name) <= 63 and "." not in it.metadata.name,
    ),
    Rule(
        "",
        "metadata.name",
        _RESERVED_MESSAGE + ", or set spec.servedModelName",
        f"has(self.spec.servedModelName) || !(self.metadata.name in {_RESERVED})",
        lambda it: it.spec.served_model_name is not None or it.metadata.name not in RESERVED_NAMES,
    ),
)
"""Rules that need the object's metadata."""

MODEL_RULES: Final = (
    Rule("spec.model", "", _ONE_SOURCE, _ONE_SOURCE_CEL, lambda it: _one(it.version_ref, it.uri)),
    Rule("spec.model", "uri", _CLAIM_URI, _CLAIM_URI_CEL, lambda it: _stays_in_claim(it.uri)),
    Rule("spec.model.versionRef", "", _ONE_VERSION, _ONE_VERSION_CEL, lambda it: _one(it.version, it.alias)),
    Rule(
        "spec.model",
        "secretName",
        "has no meaning with versionRef, whose files come from the registry; remove it, or use uri",
        "!has(self.secretName) || has(self.uri)",
        lambda it: it.secret_name is None or it.uri is not None,
    ),
    Rule(
        "spec.model.cache",
        "claimName",
        "must be set with mode Volume, and only then; add the claim's name, or set mode to None",
        "(self.mode == 'Volume') == has(self.claimName)",
        lambda it: (it.mode == "Volume") == (it.claim_name is not None),
    ),
    Rule("spec.adapters.[]", "", _ONE_SOURCE, _ONE_SOURCE_CEL, lambda it: _one(it.version_ref, it.uri)),
    Rule("spec.adapters.[]", "uri", _CLAIM_URI, _CLAIM_URI_CEL, lambda it: _stays_in_claim(it.uri)),
    Rule("spec.adapters.[].versionRef", "", _ONE_VERSION, _ONE_VERSION_CEL, lambda it: _one(it.version, it.alias)),
    Rule(
        "spec",
        "adapters",
        "Triton serves no LoRA adapters; remove them, or use the engine vLLM",
        "self.engine.type != 'Triton' || self.adapters.size() == 0",
        lambda it: it.engine.type != "Triton" or not it.adapters,
    ),
)

NAME_RULES: Final = (
    Rule(
        "spec",
        "servedModelName",
        _RESERVED_MESSAGE,
        f"!has(self.servedModelName) || !(self.servedModelName in {_RESERVED})",
        lambda it: it.served_model_name not in RESERVED_NAMES,
    ),
    Rule(
        "spec",
        "aliases",
        _RESERVED_MESSAGE,
        f"!self.aliases.exists(a, a in {_RESERVED})",
        lambda it: not set(it.aliases) & set(RESERVED_NAMES),
    ),
    Rule(
        "spec",
        "adapters",
        _RESERVED_MESSAGE,
        f"!self.adapters.exists(a, a.name in {_RESERVED})",
        lambda it: not {adapter.name for adapter in it.adapters} & set(RESERVED_NAMES),
    ),
    Rule(
        "spec",
        "aliases",
        "an alias must differ from servedModelName; remove it",
        "!has(self.servedModelName) || !(self.servedModelName in self.aliases)",
        lambda it: it.served_model_name not in it.aliases,
    ),
    Rule(
        "spec",
        "adapters",
        "an adapter's name must differ from servedModelName and aliases; rename it",
        "!self.adapters.exists(a, a.name in self.aliases || "
        "(has(self.servedModelName) && a.name == self.servedModelName))",
        lambda it: not {adapter.name for adapter in it.adapters} & {it.served_model_name, *it.aliases},
    ),
    Rule("spec", "aliases", "an alias stands twice; remove one", "", lambda it: _distinct(it.aliases)),
    Rule(
        "spec",
        "adapters",
        "two adapters have one name; rename one",
        "",
        lambda it: _distinct(adapter.name for adapter in it.adapters),
    ),
)

ENGINE_RULES: Final = (
    Rule(
        "spec.engine",
        "runtimeRef",
        "must name a ServingRuntime with type Custom; add it",
        "self.type != 'Custom' || has(self.runtimeRef)",
        lambda it: it.type != "Custom" or it.runtime_ref is not None,
    ),
    Rule(
        "spec.engine.env.[]",
        "name",
        "must begin with a letter or `_` and go on with letters, digits and `_` only; rename it",
        "self.name.matches('^[A-Za-z_][A-Za-z0-9_]*$')",
        lambda it: it.name.isascii() and it.name.isidentifier(),
    ),
    Rule("spec.engine.env.[]", "name", ENV_REFUSAL, env_refused_cel("self.name"), lambda it: not env_refused(it.name)),
    Rule(
        "spec.engine",
        "env",
        "two entries have one name; remove one",
        "",
        lambda it: _distinct(entry.name for entry in it.env),
    ),
    Rule(
        "spec",
        "resources.acceleratorsPerPod",
        "acceleratorsPerPod * multiNode.size must equal parallelism.tensor * pipeline * data for vLLM (1 without "
        "accelerators); change one of them",
        _ACCELERATORS_CEL,
        _accelerators_match,
    ),
    Rule(
        "spec.resources",
        "acceleratorsPerPod",
        "must be at least 1 with acceleratorClass (0 means CPUs); set it, or remove acceleratorClass",
        "!has(self.acceleratorClass) || self.acceleratorsPerPod > 0",
        lambda it: it.accelerator_class is None or it.accelerators_per_pod > 0,
        of_stored=False,
    ),
    Rule(
        "spec",
        "resources.sharing",
        "TimeSliced and MIG need engine.parallelism.tensor = 1; set sharing to Exclusive, or tensor to 1",
        "self.resources.sharing == 'Exclusive' || self.engine.parallelism.tensor == 1",
        lambda it: it.resources.sharing == "Exclusive" or it.engine.parallelism.tensor == 1,
    ),
    Rule(
        "spec.podOverrides",
        "labels",
        MARK_REFUSAL,
        marks_refused_cel("labels"),
        lambda it: not any(map(mark_refused, it.labels)),
    ),
    Rule(
        "spec.podOverrides",
        "annotations",
        MARK_REFUSAL,
        marks_refused_cel("annotations"),
        lambda it: not any(map(mark_refused, it.annotations)),
    ),
)

SCALING_RULES: Final = (
    Rule(
        "spec.autoscaling",
        "minReplicas",
        "must be at most maxReplicas; lower it, or raise maxReplicas",
        "self.minReplicas <= self.maxReplicas",
        lambda it: it.min_replicas <= it.max_replicas,
    ),
    Rule(
        "spec.autoscaling.schedules.[]",
        "minReplicas",
        "must be at most maxReplicas of the same schedule; lower it, or raise maxReplicas",
        "!has(self.minReplicas) || !has(self.maxReplicas) || self.minReplicas <= self.maxReplicas",
        lambda it: _ordered(it.min_replicas, it.max_replicas),
    ),
    Rule(
        "spec.autoscaling",
        "schedules",
        "two schedules have one name; rename one",
        "",
        lambda it: _distinct(schedule.name for schedule in it.schedules),
    ),
    Rule(
        "spec.autoscaling",
        "idleSecondsToZero",
        "needs minReplicas 0; set minReplicas to 0, or remove idleSecondsToZero",
        "!has(self.idleSecondsToZero) || self.minReplicas == 0",
        lambda it: it.idle_seconds_to_zero is None or it.min_replicas == 0,
    ),
    Rule(
        "spec.autoscaling.metrics.[]",
        "query",
        "must be set with type External, and only then; add a Prometheus query, or remove it",
        "(self.type == 'External') == has(self.query)",
        lambda it: (it.type == "External") == (it.query is not None),
    ),
)

ROLLOUT_RULES: Final = (
    Rule(
        "spec.rollout.canary",
        "steps",
        "trafficPercent must rise from step to step; reorder or correct the steps",
        "self.steps.size() < 2 || "
        "self.steps.map(s, s.trafficPercent).isSorted() && "
        "self.steps.all(s, self.steps.filter(t, t.trafficPercent == s.trafficPercent).size() == 1)",
        lambda it: _ascending(it.steps),
    ),
    Rule(
        "spec.rollout.canary.steps.[]",
        "pause",
        "at most one of pauseSeconds and pause may be set; remove one",
        "!(has(self.pauseSeconds) && has(self.pause))",
        lambda it: it.pause_seconds is None or it.pause is None,
    ),
    Rule(
        "spec.rollout",
        "canary.steps",
        "strategy Canary needs at least 1 step; add one, or choose another strategy",
        "self.strategy != 'Canary' || self.canary.steps.size() > 0",
        lambda it: it.strategy != "Canary" or bool(it.canary.steps),
    ),
    Rule(
        "spec.rollout",
        "maxSurge",
        "must be at least 1 (or 1%) with strategy Surge, which starts new replicas first; raise it, or choose Replace",
        "self.strategy != 'Surge' || !(self.maxSurge == 0 || self.maxSurge == '0%' || self.maxSurge == '00%')",
        lambda it: it.strategy != "Surge" or it.max_surge not in (0, "0%", "00%"),
    ),
)

SERVING_RULES: Final = (
    Rule(
        "spec.routing",
        "endpointPickerRef",
        "must be set with policy External, and only then; add it, or choose another policy",
        "(self.policy == 'External') == has(self.endpointPickerRef)",
        lambda it: (it.policy == "External") == (it.endpoint_picker_ref is not None),
    ),
    Rule(
        "spec.access",
        "allowedProjects",
        "needs visibility Shared; set it, or remove allowedProjects",
        "self.visibility == 'Shared' || self.allowedProjects.size() == 0",
        lambda it: it.visibility == "Shared" or not it.allowed_projects,
    ),
    Rule(
        "spec.access",
        "allowedProjects",
        "a project stands twice; remove one",
        "",
        lambda it: _distinct(it.allowed_projects),
    ),
)

SPEC_RULES: Final = (*MODEL_RULES, *NAME_RULES, *ENGINE_RULES, *SCALING_RULES, *ROLLOUT_RULES, *SERVING_RULES)
"""Every rule about one spec."""

CHANGE_RULES: Final = (
    ChangeRule(
        "spec.engine",
        "type",
        "cannot be changed, because the pods of two engines cannot share a deployment; make a new ModelDeployment",
        "self.type == oldSelf.type",
        lambda old, new: old.type == new.type,
    ),
    ChangeRule(
        "spec",
        "multiNode",
        "cannot be added, removed or resized; make a new ModelDeployment",
        "has(self.multiNode) == has(oldSelf.multiNode) && "
        "(!has(self.multiNode) || self.multiNode.size == oldSelf.multiNode.size)",
        lambda old, new: old.multi_node == new.multi_node,
    ),
)
"""What a change of an existing object may not do."""


def forbidden_changes(old: Any, new: Any) -> list[Mistake]:
    """What the change from one ModelDeployment to another may not do; empty where it may be made."""
    return refused_changes(CHANGE_RULES, old, new)
