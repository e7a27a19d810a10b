"""Switching the gateway's autoscaler on and off by an upgrade: does the number of replicas ever drop?"""

from support.chart import NAMESPACE, ROOT, Installation
from support.cluster.objects import wait_until

GATEWAY = "mizzen-gateway"
PAGE = ROOT / "docs" / "how-to" / "upgrade-and-uninstall.md"
FIXED = ("--set", "gateway.autoscaling.enabled=false,gateway.replicas=5")
SCALED = ("--set", "gateway.autoscaling.enabled=true,gateway.autoscaling.minReplicas=3")


def replicas(installation: Installation) -> int:
    found = installation.cluster.objects.get("Deployment", GATEWAY, NAMESPACE)
    assert found is not None
    return int(found["spec"]["replicas"])


def handed_over(installation: Installation) -> None:
    """What the page says to run, word for word."""
    [block] = [part for part in PAGE.read_text().split("```sh\n") if "mizzen-autoscaling" in part]
    manifest = block.split("<<EOF\n")[1].split("EOF\n")[0]
    command = block.split("<<EOF\n")[0].split("kubectl ")[-1].split()
    installation.cluster.kubectl(*command, stdin=manifest.replace("$REPLICAS", str(replicas(installation))))


def test_after_the_hand_over_an_upgrade_that_switches_it_on_leaves_the_replicas(installation: Installation) -> None:
    installation.install(*FIXED)
    handed_over(installation)
    installation.upgrade(*SCALED)
    objects = installation.cluster.objects
    assert objects.get("HorizontalPodAutoscaler", GATEWAY, NAMESPACE) is not None
    assert replicas(installation) == 5
    installation.upgrade("--reuse-values", "--set", "gateway.autoscaling.minReplicas=7")
    wait_until(lambda: replicas(installation) == 7, 60, "the autoscaler does not write the number of replicas")
    installation.upgrade("--reuse-values", "--set", "gateway.drainSeconds=26")
    assert replicas(installation) == 7, "an upgrade fights with the autoscaler"


def test_switching_it_off_takes_the_number_from_the_autoscaler(installation: Installation) -> None:
    installation.install(*SCALED)
    wait_until(lambda: replicas(installation) == 3, 60, "the autoscaler does not write the number of replicas")
    installation.upgrade(*FIXED)
    assert replicas(installation) == 5
    assert installation.cluster.objects.get("HorizontalPodAutoscaler", GATEWAY, NAMESPACE) is None
