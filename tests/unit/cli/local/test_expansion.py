"""$(NAME) as Kubernetes replaces it, and paths below mounts as folders."""

from pathlib import Path

import pytest
from mizzen_cli.local.pod.container_environment import localized
from mizzen_cli.local.pod.expansion import expand


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("--port=$(PORT)", "--port=8000"),
        ("$(MISSING)", "$(MISSING)"),
        ("$$(PORT)", "$(PORT)"),
        ("$PORT ${PORT}", "$PORT ${PORT}"),
        ("$(PORT)$(PORT)", "80008000"),
        ("cost: 5$", "cost: 5$"),
    ],
)
def test_references_are_replaced_as_kubernetes_does_it(text: str, expected: str) -> None:
    assert expand(text, {"PORT": "8000"}) == expected


def test_a_path_below_a_mount_becomes_a_folder_and_others_stay() -> None:
    mounts = {"/mizzen/model": Path("/data/pods/a/volumes/model"), "/mizzen": Path("/data/pods/a/volumes/all")}
    assert localized("/mizzen/model/files", mounts) == "/data/pods/a/volumes/model/files"
    assert localized("/mizzen/other", mounts) == "/data/pods/a/volumes/all/other"
    assert localized("/mizzenelse", mounts) == "/mizzenelse"
    assert localized("relative", mounts) == "relative"


def test_a_folder_is_not_mapped_a_second_time() -> None:
    mounts = {"/tmp": Path("/tmp/data/volumes/scratch")}
    once = localized("/tmp/x", mounts)
    assert once == "/tmp/data/volumes/scratch/x"
    assert localized(once, mounts) == once
