"""Logs of a deployment's pods, in the order in which their containers start."""

import json
from pathlib import Path

import pytest
from mizzen_cli.errors import CommandError
from mizzen_cli.logs import log_files, print_logs


def pod(data_dir: Path, name: str, deployment: str) -> Path:
    """A pod's folder with a log for each of its containers."""
    folder = data_dir / "pods" / "default" / name
    (folder / "logs").mkdir(parents=True)
    spec = {"initContainers": [{"name": "fetch"}], "containers": [{"name": "engine"}]}
    labels = {"mizzen.dev/deployment": deployment}
    (folder / "pod.json").write_text(json.dumps({"manifest": {"metadata": {"labels": labels}, "spec": spec}}))
    for each in ("engine", "fetch", "shim"):
        (folder / "logs" / f"{each}.log").write_text("".join(f"{each} {number}\n" for number in range(3)))
    return folder


def test_a_deployments_pods_are_found_by_label_and_one_pod_by_its_name(tmp_path: Path) -> None:
    first, second = pod(tmp_path, "m-1-a", "m"), pod(tmp_path, "m-1-b", "m")
    pod(tmp_path, "m-1-x-1-a", "m-1-x")
    pods = tmp_path / "pods" / "default"
    wanted = [folder / "logs" / f"{name}.log" for folder in (first, second) for name in ("fetch", "engine")]
    assert log_files(pods, "m", None) == wanted
    assert log_files(pods, "m-1-b", "engine") == [second / "logs" / "engine.log"]


@pytest.mark.parametrize(("tail", "numbers"), [(-1, [0, 1, 2]), (2, [1, 2]), (0, []), (9, [0, 1, 2])])
def test_the_last_lines_are_printed(
    tail: int, numbers: list[int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pod(tmp_path, "m-1-a", "m")
    print_logs(tmp_path, "default", "m", "engine", tail, follow=False)
    assert capsys.readouterr().out == "".join(f"m-1-a/engine | engine {number}\n" for number in numbers)


def test_an_unknown_container_is_told_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no log yet"):
        print_logs(tmp_path, "default", "m", None, 1, follow=False)
    pod(tmp_path, "m-1-a", "m")
    with pytest.raises(CommandError, match="no container engin; it has engine, fetch"):
        print_logs(tmp_path, "default", "m", "engin", 1, follow=False)
