"""What of this machine a pod's manifest can name: nothing but its own folders and its namespace's claims."""

import copy
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from mizzen_cli.local.pod.container_environment import localized, mount_folders, prepare_volumes, remove_tokens
from mizzen_cli.local.pod.manifest import ManifestError, parse_pod
from mizzen_cli.local.pod.sandbox import PodSettings, Sandbox
from mizzen_cli.local.runner.pod_factory import with_admin_key
from mizzen_cli.local.spawn import spawn_detached
from support.pods import wait_until

TOKEN = {"projected": {"sources": [{"serviceAccountToken": {"path": "registry"}}]}}


def manifest(volume: dict[str, Any], **mount: str) -> dict[str, Any]:
    mounted = {"name": "v", "mountPath": "/m", **mount}
    first, second = ({"name": name, "command": ["true"]} for name in ("fetch", "layout"))
    return {
        "metadata": {"namespace": "n", "name": "p", "uid": "u"},
        "spec": {
            "initContainers": [first | {"volumeMounts": [mounted]}, second],
            "containers": [{"name": "engine", "command": ["true"]}],
            "volumes": [{"name": "v", **volume}],
        },
    }


def prepared(tmp_path: Path, body: dict[str, Any]) -> dict[str, Path]:
    token = tmp_path / "token"
    token.write_text("secret")
    return prepare_volumes(
        parse_pod(body), Sandbox(tmp_path / "pod"), PodSettings("f", str(tmp_path / "c"), str(token))
    )


@pytest.mark.parametrize("claim", ["..", ".", "", "a/b", "../../secrets", "/etc"])
def test_a_claim_is_one_folder_of_its_namespace(tmp_path: Path, claim: str) -> None:
    with pytest.raises(ManifestError, match="claim"):
        prepared(tmp_path, manifest({"persistentVolumeClaim": {"claimName": claim}}))
    assert not (tmp_path / "c").exists()


def test_a_sub_path_stays_in_its_volume(tmp_path: Path) -> None:
    folders = {"v": tmp_path / "v"}
    inside, outside = (
        parse_pod(manifest({"emptyDir": {}}, subPath=part)).init_containers[0] for part in ("a/../b", "a/../../x")
    )
    assert mount_folders(inside, folders) == {"/m": tmp_path / "v" / "b"}
    with pytest.raises(ManifestError, match="subPath"):
        mount_folders(outside, folders)


def test_a_projected_token_stays_in_its_volume(tmp_path: Path) -> None:
    body = copy.deepcopy(manifest(TOKEN))
    body["spec"]["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"]["path"] = "../../x"
    with pytest.raises(ManifestError, match="path"):
        prepared(tmp_path, body)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("value", ["/m/../x", "/m/a/../../../pods/q", "{v}/../../other"])
def test_a_value_below_a_mount_cannot_climb_out_of_it(tmp_path: Path, value: str) -> None:
    with pytest.raises(ManifestError, match="leaves its folder"):
        localized(value.format(v=tmp_path / "v"), {"/m": tmp_path / "v"})


def test_a_value_below_a_mount_becomes_a_path_here(tmp_path: Path) -> None:
    mounts = {"/m": tmp_path / "v"}
    assert localized("/m/a/b", mounts) == f"{tmp_path}/v/a/b"
    assert localized(f"{tmp_path}/v/a", mounts) == f"{tmp_path}/v/a"
    assert localized("/elsewhere", mounts) == "/elsewhere"


def test_a_token_goes_once_nothing_that_mounts_it_is_still_to_run_and_comes_back_with_the_next_start(
    tmp_path: Path,
) -> None:
    body = manifest(TOKEN)
    pod, folders = parse_pod(body), prepared(tmp_path, body)
    token = folders["v"] / "registry"
    remove_tokens(pod, folders, [*pod.init_containers, *pod.containers])
    assert token.read_text() == "secret"
    remove_tokens(pod, folders, pod.containers)
    assert not token.exists()
    prepared(tmp_path, body)
    assert token.read_text() == "secret"


def test_the_admin_key_is_a_value_of_the_pods_own_and_other_variables_stay() -> None:
    uid = {"name": "MIZZEN_ADMIN_KEY", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}
    other = {"name": "A", "value": "1"}
    spec = with_admin_key({"containers": [{"name": "engine", "env": [uid, other]}, {"name": "side"}]}, "k")
    assert spec["containers"][0]["env"] == [{"name": "MIZZEN_ADMIN_KEY", "value": "k"}, other]


def test_what_a_started_program_writes_is_its_users_alone(tmp_path: Path) -> None:
    made = tmp_path / "made"
    program = f"import pathlib; pathlib.Path({str(made)!r}).touch()"
    spawn_detached([sys.executable, "-c", program], {}, tmp_path / "log")
    wait_until(made.exists, what="the program's file")
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
