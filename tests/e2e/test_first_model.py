"""A person pushes a model, applies it, calls it with tritonclient, rolls a version out under load, and back."""

from collections.abc import Iterator

import pytest
import yaml
from support.story import sentiment
from support.story.caller import Load, ask
from support.story.mizzen_on_node import Platform, Tenant


@pytest.fixture(scope="module")
def reviews(platform_of_module: Platform) -> Iterator[Tenant]:
    with platform_of_module.tenant("reviews") as tenant:
        manifest = yaml.safe_dump(sentiment.deployment(tenant.namespace))
        platform_of_module.node.cluster.kubectl("apply", "-f", "-", stdin=manifest)
        tenant.wait_ready()
        yield tenant


def test_what_was_applied_answers_tritonclient_through_the_gateways_service(
    platform: Platform, reviews: Tenant
) -> None:
    assert ask(platform.gateway, reviews.key) == 1
    said = platform.node.cluster.kubectl("get", "modeldeployments.mizzen.dev", "-n", "reviews", "--no-headers")
    assert said.split()[:2] == ["sentiment", "True"]


def test_a_new_version_rolls_out_and_back_under_load_without_a_failed_request(
    platform: Platform, reviews: Tenant
) -> None:
    load = Load(platform.gateway, reviews.key)
    with load.running():
        for version in (2, 1):
            spec = {"spec": {"model": {"versionRef": {"version": version}}}}
            reviews.objects.merge("ModelDeployment", "sentiment", spec)
            load.wait_answers(20, version, 120)
            reviews.wait_ready()
        reviews.objects.merge("ModelDeployment", "sentiment", {"spec": {"model": {"versionRef": {"version": 2}}}})
        reviews.wait_ready()
        load.wait_answers(20, 2)
        reviews.mizzen("rollout", "rollback", "sentiment")
        load.wait_answers(20, 1, 120)
        rolled_back = reviews.wait_ready()
    platform.told.append(f"two rollouts and two ways back: {load}")
    assert load.failures == [], str(load)
    assert rolled_back["spec"]["model"]["versionRef"] == {"model": "sentiment", "version": 1}
