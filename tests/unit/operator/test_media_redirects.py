"""No engine of ours that fetches media follows a redirect: gateways have looked at the first host alone."""

from mizzen_crds.v1alpha1.model_deployment.environment import env_refused
from mizzen_crds.v1alpha1.model_deployment.workload import EngineType
from mizzen_operator.runtimes.builtin import builtin_runtimes

VARIABLE = "VLLM_MEDIA_URL_ALLOW_REDIRECTS"


def test_every_runtime_of_vllm_follows_no_redirect_and_no_deployment_can_change_that() -> None:
    runtimes = [one.spec for one in builtin_runtimes().values() if one.spec.engine == EngineType.VLLM]
    assert runtimes
    assert [entry.value for one in runtimes for entry in one.env if entry.name == VARIABLE] == ["0"] * len(runtimes)
    assert env_refused(VARIABLE)


def test_a_deployment_of_vllm_may_narrow_what_its_engine_fetches() -> None:
    runtimes = [one.spec for one in builtin_runtimes().values() if one.spec.engine == EngineType.VLLM]
    assert all("--allowed-media-domains" in one.allowed_args for one in runtimes)
