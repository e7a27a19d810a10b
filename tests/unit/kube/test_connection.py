"""Tokens rotate under a running program; a pod finds its server; nothing heavy is loaded in a cluster."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from mizzen_kube.connection import FetchedToken, TokenFile
from mizzen_kube.environment import from_environment, in_cluster, own_namespace


async def test_a_token_is_read_again_when_its_file_changes(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    source = TokenFile(file)
    assert await source.token() == "first"
    fresh = tmp_path / "fresh"
    fresh.write_text("second\n")
    fresh.rename(file)
    assert await source.token() == "second"


async def test_a_refused_token_is_read_again_though_the_file_looks_the_same(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first")
    source = TokenFile(file)
    seen = file.stat()
    assert await source.token() == "first"
    file.write_text("other")
    os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert await source.token() == "first"
    source.refused()
    assert await source.token() == "other"


async def test_a_file_that_is_away_for_a_moment_leaves_the_token(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first")
    source = TokenFile(file)
    await source.token()
    file.unlink()
    assert await source.token() == "first"
    with pytest.raises(OSError, match="token"):
        await TokenFile(file).token()


async def test_a_made_token_is_made_once_until_it_is_refused() -> None:
    made = []

    async def make() -> str:
        made.append(1)
        return f"token-{len(made)}"

    source = FetchedToken(make)
    assert [await source.token(), await source.token()] == ["token-1", "token-1"]
    source.refused()
    assert await source.token() == "token-2"


def test_outside_a_cluster_there_is_no_pod_to_speak_for(tmp_path: Path) -> None:
    assert in_cluster({}, tmp_path) is None
    assert in_cluster({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, tmp_path) is None
    assert own_namespace("mizzen-system", tmp_path) == "mizzen-system"


async def test_without_any_server_the_error_says_where_it_looked_and_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"there is no {tmp_path}/none. .*set KUBECONFIG"):
        await from_environment({"KUBECONFIG": str(tmp_path / "none")})


@pytest.mark.parametrize(
    "text",
    ["a: [b", "hello", "clusters: []", "current-context: a\ncontexts: []\nclusters: []\nusers: []"],
    ids=["no YAML", "no mapping", "no context", "another context"],
)
async def test_a_kubeconfig_that_leads_nowhere_is_named_in_one_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(ValueError, match=f"no API server to talk to: {file}: .*set KUBECONFIG") as told:
        await from_environment({"KUBECONFIG": str(file)})
    assert "\n" not in str(told.value)


def test_in_a_cluster_the_package_of_700_models_is_never_loaded() -> None:
    code = "import mizzen_kube.lease, mizzen_kube.reflector, mizzen_kube.environment, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "aiohttp" in loaded
    assert not [name for name in loaded if name.partition(".")[0] in ("kubernetes", "kopf", "yaml", "requests")]
