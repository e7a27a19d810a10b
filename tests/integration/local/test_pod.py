"""Pods as processes: order, probes, restarts and the end, with real programs under a real shim."""

import copy
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from mizzen_cli.local.pod.sandbox import POD_MARKER
from mizzen_cli.local.process_identity import marked_processes
from support.pods import PodBench, pod_manifest, python_container, server_container, wait_until


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[PodBench]:
    bench = PodBench(tmp_path)
    yield bench
    bench.close()


def test_init_containers_run_in_order_before_the_container_serves_at_its_own_address(bench: PodBench) -> None:
    note = "import os; open(os.environ['NOTE_FILE'], 'a').write(os.environ['WORD'])"
    first = python_container("first", note, env={"NOTE_FILE": "/switch/note", "WORD": "a"})
    second = python_container("second", note, env={"NOTE_FILE": "/switch/note", "WORD": "b"})
    bench.start(pod_manifest(server_container(), init=(first, second)))
    state = bench.wait(lambda state: state.ready)
    assert (bench.sandboxes.sandbox("default", "pod-a").volume("switch") / "note").read_text() == "ab"
    assert state.address.startswith("127.")
    with urllib.request.urlopen(f"http://{state.address}:8000/any") as answer:
        assert answer.read() == b"ok"
    assert bench.stop().container("server").phase == "terminated"


def test_a_failing_init_container_is_tried_again_and_its_last_words_are_kept(bench: PodBench) -> None:
    program = """
import os, pathlib, sys
tries = pathlib.Path(os.environ["TRIES_FILE"])
tries.write_text(tries.read_text() + "x" if tries.exists() else "x")
pathlib.Path(os.environ["MIZZEN_TERMINATION_LOG"]).write_text("the digest differs")
sys.exit(0 if len(tries.read_text()) == 3 else 7)
"""
    fetch = python_container("fetch", program, env={"TRIES_FILE": "/switch/tries"})
    bench.start(pod_manifest(server_container(), init=(fetch,)))
    failed = bench.wait(lambda state: state.container("fetch").reason == "CrashLoopBackOff")
    assert failed.container("fetch").exit_code == 7
    assert failed.container("fetch").message == "the digest differs"
    assert not failed.initialized
    assert bench.wait(lambda state: state.ready).container("fetch").restarts == 2


def test_readiness_follows_the_probe_both_ways(bench: PodBench) -> None:
    bench.start(pod_manifest(server_container()))
    bench.wait(lambda state: state.ready)
    bench.switch("ready", off=True)
    gone = bench.wait(lambda state: not state.ready)
    assert gone.container("server").restarts == 0
    assert "HTTP status 503" in gone.container("server").message
    bench.switch("ready", off=False)
    bench.wait(lambda state: state.ready)


def test_a_failed_liveness_probe_restarts_the_container(bench: PodBench) -> None:
    probe = {"httpGet": {"path": "/live", "port": "http"}, "periodSeconds": 0.05, "failureThreshold": 2}
    bench.start(pod_manifest(server_container(livenessProbe=probe)))
    bench.wait(lambda state: state.ready)
    bench.switch("live", off=True)
    bench.wait(lambda state: state.container("server").restarts >= 1)
    bench.switch("live", off=False)
    bench.wait(lambda state: state.ready)


def test_a_start_that_takes_too_long_is_started_again(bench: PodBench) -> None:
    probe = {"exec": {"command": ["/bin/false"]}, "periodSeconds": 0.02, "failureThreshold": 2}
    bench.start(pod_manifest(server_container(startupProbe=probe)))
    state = bench.wait(lambda state: state.container("server").restarts >= 2)
    assert not state.ready
    assert "start-up probe failed 2 times" in state.container("server").message


def test_a_killed_engine_is_back_at_once_and_its_children_are_gone(bench: PodBench) -> None:
    stubs = "import subprocess, sys, os; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    server = server_container()
    server["command"][2] = stubs + server["command"][2]
    manifest = pod_manifest(server)
    bench.start(manifest)
    before = bench.wait(lambda state: state.ready).container("server")
    old = {each.pid for each in marked_processes(POD_MARKER, manifest["metadata"]["uid"])}
    assert len(old) == 2
    assert before.identity
    os.kill(before.identity.pid, 9)
    after = bench.wait(lambda state: state.container("server").restarts == 1 and state.ready).container("server")
    assert after.identity != before.identity
    new = {each.pid for each in marked_processes(POD_MARKER, manifest["metadata"]["uid"])}
    assert len(new) == 2
    assert not new & old


def test_the_hook_runs_before_the_signal_and_a_deaf_process_is_killed_after_its_grace(bench: PodBench) -> None:
    hook = {"preStop": {"exec": {"command": ["/bin/sh", "-c", "echo hook-ran"]}}}
    bench.start(pod_manifest(server_container(env={"IGNORE_TERM": "1"}, lifecycle=hook), grace=0.3))
    bench.wait(lambda state: state.ready)
    ended = bench.stop().container("server")
    assert ended.exit_code == 137
    assert "hook-ran" in bench.log("server")


OWN_REGION = f"/dev/shm/mizzen-test-{os.getpid()}"
OWN_SEMAPHORE = f"/dev/shm/sem.mizzen-test-{os.getpid()}"
MAPPED_FILE = f"import mmap; f = open({OWN_REGION!r}, 'w+b'); f.truncate(4096); m = mmap.mmap(f.fileno(), 4096)\n"
SEMAPHORE = (
    f"import _multiprocessing; s = _multiprocessing.SemLock(1, 1, 1, {OWN_SEMAPHORE.split('sem.')[1]!r}, False)\n"
)


@pytest.mark.parametrize(
    ("region", "program"), [(OWN_REGION, MAPPED_FILE), (OWN_SEMAPHORE, SEMAPHORE)], ids=["mapped file", "semaphore"]
)
def test_nothing_of_a_stopped_pod_is_left_in_shared_memory(bench: PodBench, region: str, program: str) -> None:
    server = server_container()
    server["command"][2] = program + server["command"][2]
    bench.start(pod_manifest(server))
    state = bench.wait(lambda state: region in state.shared_memory)
    assert Path(region).exists()
    identity = state.container("server").identity
    assert identity
    os.kill(identity.pid, 9)
    bench.stop()
    assert not Path(region).exists()


def test_a_shim_killed_takes_its_container_along_and_is_seen_as_lost(bench: PodBench) -> None:
    manifest = pod_manifest(server_container())
    bench.start(manifest)
    shim = bench.wait(lambda state: state.ready).shim_identity
    assert shim
    os.kill(shim.pid, 9)
    wait_until(lambda: not marked_processes(POD_MARKER, manifest["metadata"]["uid"]), what="the engine's end")
    seen = bench.seen()
    assert seen.lost
    bench.sandboxes.clear_away(seen)
    assert list(bench.sandboxes.seen()) == []
    assert "serving" in (bench.root / "kept" / "default_pod-a" / "server.log").read_text()


def test_a_pod_sees_only_its_own_variables_and_its_token_is_gone_when_the_engine_runs(
    bench: PodBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    dump = "import os; print(sorted(os.environ)); print(open(os.environ['TOKEN_FILE']).read())"
    fetch = python_container("fetch", dump, env={"TOKEN_FILE": "/token/registry"})
    fetch["volumeMounts"].append({"name": "token", "mountPath": "/token"})
    manifest = pod_manifest(server_container(), init=(fetch,))
    source = {"serviceAccountToken": {"path": "registry", "audience": "mizzen-registry"}}
    manifest["spec"]["volumes"].append({"name": "token", "projected": {"sources": [source]}})
    bench.start(manifest)
    bench.wait(lambda state: state.ready)
    assert "AWS_SECRET_ACCESS_KEY" not in bench.log("fetch")
    assert "mzt_registry_secret" in bench.log("fetch")
    files = [each for each in bench.seen().sandbox.root.rglob("*") if each.is_file()]
    assert not [each for each in files if each.name == "registry"]
    bench.start(copy.deepcopy(manifest) | {"metadata": manifest["metadata"] | {"name": "pod-b", "uid": "b" * 32}})
    bench.wait(lambda state: state.ready, "pod-b")
    assert "mzt_registry_secret" in bench.log("fetch", "pod-b")


def test_a_volume_that_leads_to_another_pod_is_refused_and_nothing_of_it_starts(bench: PodBench) -> None:
    manifest = pod_manifest(server_container())
    manifest["spec"]["volumes"].append({"name": "model", "persistentVolumeClaim": {"claimName": "../../pods"}})
    bench.start(manifest)
    state = bench.wait(lambda state: state.problem)
    assert (state.problem_reason, state.containers[0].process) == ("ManifestRefused", None)
    assert "claim '../../pods'" in state.problem


def test_two_pods_of_one_port_run_side_by_side(bench: PodBench) -> None:
    bench.start(pod_manifest(server_container(), name="pod-a"))
    bench.start(pod_manifest(server_container(), name="pod-b"))
    first = bench.wait(lambda state: state.ready, "pod-a")
    second = bench.wait(lambda state: state.ready, "pod-b")
    assert first.address != second.address


def test_a_port_held_on_all_addresses_is_named_with_the_remedy(bench: PodBench) -> None:
    import socket

    with socket.socket() as holder:
        holder.bind(("0.0.0.0", 0))
        holder.listen()
        port = holder.getsockname()[1]
        bench.start(pod_manifest(server_container(port=port)))
        state = bench.wait(lambda state: state.problem)
    assert f"port {port}" in state.problem
    assert "stop that program" in state.problem
