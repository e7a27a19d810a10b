"""What the operator says when its environment leaves it without an API server, or makes no sense."""

import os
import subprocess
import sys
from pathlib import Path


def start(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The operator as a program, with these variables alone."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **variables}
    return subprocess.run(
        [sys.executable, "-m", "mizzen_operator"], env=environment, capture_output=True, text=True, timeout=60
    )


def test_without_an_api_server_it_says_in_one_sentence_where_it_looked_and_what_to_do(tmp_path: Path) -> None:
    ended = start(tmp_path)
    assert ended.returncode == 2
    assert ended.stderr == (
        "mizzen operator: no API server to talk to: there is no ~/.kube/config. "
        "Run this in a pod, or set KUBECONFIG to a file that kubectl works with.\n"
    )


def test_a_certificate_that_is_not_there_ends_it_with_the_same_code(tmp_path: Path) -> None:
    ended = start(tmp_path, MIZZEN_TLS_DIR=str(tmp_path), KUBECONFIG=str(kubeconfig(tmp_path)))
    assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1), ended.stderr
    assert "MIZZEN_TLS_DIR" in ended.stderr


def kubeconfig(folder: Path) -> Path:
    """Of an API server that is not there."""
    file = folder / "kubeconfig"
    file.write_text(
        "{current-context: a, contexts: [{name: a, context: {cluster: a, user: a}}],"
        " users: [{name: a, user: {token: t}}], clusters: [{name: a, cluster: {server: 'http://127.0.0.1:9'}}]}"
    )
    return file


def test_a_setting_that_cannot_be_ends_with_the_same_code(tmp_path: Path) -> None:
    ended = start(tmp_path, MIZZEN_PORT="none")
    assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1)
    assert "MIZZEN_PORT" in ended.stderr
