"""For how long does the start-up probe bear an engine that is not ready? By its bytes, and never beyond 24 hours."""

from dataclasses import replace

import pytest
from mizzen_operator.kinds.model_deployment.artifact import Artifact
from mizzen_operator.kinds.model_deployment.desired import desired
from mizzen_operator.kinds.model_deployment.environment import MEBIBYTE, PlanEnvironment
from mizzen_operator.kinds.model_deployment.startup import load_budget_seconds, probe_schedule
from mizzen_operator.runtimes.builtin import builtin_runtimes
from support.deployments import deployment

ENVIRONMENT = PlanEnvironment("image:1", "http://registry", "http://operator", load_bytes_per_second=100 * MEBIBYTE)
DAY = 24 * 3600


def weights(mebibytes: int) -> Artifact:
    return Artifact("mizzen://mv_1", "sha256:" + "a" * 64, "ONNX", mebibytes * MEBIBYTE, 1)


def test_a_disk_may_be_three_times_as_slow_as_measured() -> None:
    assert load_budget_seconds(deployment(), weights(100_000), ENVIRONMENT) == 300 + 3 * 1000
    slower = replace(ENVIRONMENT, load_bytes_per_second=10 * MEBIBYTE)
    assert load_budget_seconds(deployment(), weights(100_000), slower) == 300 + 3 * 10_000


def test_weights_of_unknown_size_get_half_an_hour_and_each_warm_up_request_its_time() -> None:
    assert load_budget_seconds(deployment(), weights(0), ENVIRONMENT) == 300 + 1800
    warmed = deployment(lifecycle={"warmup": {"requests": 5}})
    assert load_budget_seconds(warmed, weights(0), ENVIRONMENT) == 300 + 1800 + 50


def test_what_the_spec_says_takes_the_place_of_all_of_it() -> None:
    said = deployment(lifecycle={"startupBudgetSeconds": 77, "warmup": {"requests": 5}})
    assert load_budget_seconds(said, weights(100_000), ENVIRONMENT) == 77


def test_no_start_up_probe_bears_more_than_a_day() -> None:
    assert load_budget_seconds(deployment(), weights(50_000_000), ENVIRONMENT) == DAY


@pytest.mark.parametrize("mebibytes", [1, 20_000, 600_000, 50_000_000])
def test_the_probe_of_the_pod_bears_at_least_its_budget(mebibytes: int) -> None:
    budget = load_budget_seconds(deployment(), weights(mebibytes), ENVIRONMENT)
    pod = desired(deployment(), builtin_runtimes()["triton"], weights(mebibytes), ENVIRONMENT).revision.template["spec"]
    probe = pod["containers"][0]["startupProbe"]
    assert budget <= probe["periodSeconds"] * probe["failureThreshold"] < budget + 5
    assert probe_schedule(budget).period_seconds == probe["periodSeconds"]
