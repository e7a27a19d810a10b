"""Everything is removed as the documentation says: of Mizzen, its models and its tenants nothing is found."""

import yaml
from support.cluster.objects import wait_until
from support.story import sentiment
from support.story.mizzen_on_node import SECONDS, Platform


def test_deleting_a_model_removes_all_that_was_made_of_it(platform: Platform) -> None:
    with platform.tenant("short", versions=1) as tenant:
        before = platform.everything()
        kubectl, manifest = platform.node.cluster.kubectl, yaml.safe_dump(sentiment.deployment("short"))
        kubectl("apply", "-f", "-", stdin=manifest)
        tenant.wait_ready()
        assert len(platform.everything() - before) > 5
        kubectl("delete", "-f", "-", stdin=manifest)
        wait_until(lambda: platform.everything() <= before, SECONDS, lambda: str(platform.everything() - before))


def test_after_the_last_object_nothing_of_mizzen_is_left(platform: Platform) -> None:
    with platform.tenant("last", versions=1) as tenant:
        tenant.objects.create(sentiment.deployment("last"))
        tenant.wait_ready()
        platform.remove()
    wait_until(
        lambda: platform.everything() <= platform.before,
        SECONDS,
        lambda: "\n".join(sorted(platform.everything() - platform.before)),
    )
    assert "mizzen.dev" not in platform.node.cluster.kubectl("api-resources", "-o", "name")
