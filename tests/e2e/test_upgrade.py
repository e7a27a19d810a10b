"""From the chart of 0.2.0-rc.1 to the present one, with another runtime image: engine pods stay until somebody asks."""

import tomllib

import pytest
from support.chart import ROOT
from support.cluster.objects import Object, wait_until
from support.story import sentiment
from support.story.caller import Load, ask
from support.story.mizzen_on_node import PROGRAMS, SECONDS, VALUES, Platform

CANDIDATE = "0.2.0-rc.1"
RELEASE = ROOT / "tests" / "releases" / CANDIDATE / "charts"
NEXT = "next"
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
ENGINE = "localhost/mizzen/triton-cpu"


@pytest.fixture
def older(images_on_the_node: Platform) -> Platform:
    """The release candidate's charts, with the images of today under the tag that those charts name."""
    platform = images_on_the_node
    if platform.installed():
        platform.remove()
    _tagged(platform, CANDIDATE)
    platform.install(RELEASE / "mizzen", RELEASE / "mizzen-crds")
    platform.wait_serving()
    return platform


def _tagged(platform: Platform, tag: str) -> None:
    """Give the images of today another tag besides theirs."""
    node = platform.node
    for image in [each for each in node.images() if "localhost/mizzen/" in each and each.endswith(f":{VERSION}")]:
        node.tag(image, image.replace(f":{VERSION}", f":{tag}"))


def _upgrade(platform: Platform) -> None:
    """As docs/how-to/upgrade-and-uninstall.md does, to images of another name."""
    helm = platform.installation.helm
    _tagged(platform, NEXT)
    charts, wait = ROOT / "charts", ("--wait", "--timeout", "180s")
    helm("upgrade", "mizzen-crds", charts / "mizzen-crds", *wait)
    values = ("-f", VALUES, "--set", f"image.tag={NEXT},runtimes.triton.image={ENGINE}:{NEXT}")
    helm("upgrade", "mizzen", charts / "mizzen", *values, *wait)
    platform.wait_serving()


def _identity(pod: Object) -> tuple[str, list[str]]:
    return pod["metadata"]["uid"], [each["containerID"] for each in pod["status"]["containerStatuses"]]


def _image(pod: Object) -> str:
    return str(pod["spec"]["containers"][0]["image"])


def test_an_upgrade_replaces_the_programs_and_no_engine_pod_and_callers_do_not_notice(older: Platform) -> None:
    assert {_image(pod).rpartition(":")[2] for name in PROGRAMS for pod in older.pods(name)} == {CANDIDATE}
    with older.tenant("upgraded", versions=1) as tenant:
        tenant.objects.create(sentiment.deployment(tenant.namespace))
        tenant.wait_ready()
        [engine] = tenant.pods()
        load = Load(older.gateway, tenant.key)
        with load.running():
            _upgrade(older)
            load.wait_answers(20)
        older.told.append(f"an upgrade of everything: {load}")
        assert {_image(pod).rpartition(":")[2] for name in PROGRAMS for pod in older.pods(name)} == {NEXT}
        runtime = older.node.objects.get("ServingRuntime", "triton")
        assert runtime
        assert runtime["spec"]["image"] == f"{ENGINE}:{NEXT}"
        tenant.wait_ready()
        [still] = tenant.pods()
        assert _identity(still) == _identity(engine)
        assert load.failures == [], str(load)
        assert ask(older.gateway, tenant.key) == 1, "the key of before the upgrade"

        asked = {"metadata": {"annotations": {"mizzen.dev/restarted-at": "2026-11-22T12:00:00Z"}}}
        tenant.objects.merge("ModelDeployment", "sentiment", asked)
        wait_until(
            lambda: [_image(pod) for pod in tenant.pods()] == [f"{ENGINE}:{NEXT}"], SECONDS, lambda: str(tenant.pods())
        )
