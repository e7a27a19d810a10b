"""Clusters stand side by side, have callers of their own, survive what is done to their parts, and leave nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from support.cluster.cluster import Cluster, start
from support.cluster.credentials import User
from support.cluster.objects import RefusedError, wait_until
from support.cluster.shared import fresh_namespace

TESTS = Path(__file__).resolve().parents[2]


def _settings(name: str, **data: str) -> dict:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def test_two_clusters_side_by_side_know_nothing_of_each_other(bare_cluster: Cluster) -> None:
    with start(definitions=False) as other:
        bare_cluster.objects.create(_settings("here"))
        assert other.objects.get("ConfigMap", "here") is None
        other.api_server.kill()
        assert bare_cluster.ready()


def test_users_may_what_roles_say_and_the_audit_log_tells_who_asked() -> None:
    reader = User("reader", ("readers",))
    with start(users=[reader], audit=True, definitions=False) as cluster:
        cluster.kubectl("create", "clusterrole", "reader", "--verb=list", "--resource=configmaps")
        cluster.kubectl("create", "clusterrolebinding", "readers", "--clusterrole=reader", "--group=readers")
        seen = cluster.objects_of(reader.token)
        wait_until(lambda: _may(seen.list, "ConfigMap"), 10, "the role is in force")
        with pytest.raises(RefusedError) as refused:
            seen.create(_settings("not-mine"))
        assert refused.value.status == 403
        logged = [each for each in cluster.audit_events() if each["user"]["username"] == "reader"]
        last = [(each["verb"], each["responseStatus"]["code"]) for each in logged][-1]
        assert last == ("create", 403)


def _may(call, *arguments: str) -> bool:
    try:
        call(*arguments)
    except RefusedError:
        return False
    return True


def test_a_service_account_calls_with_a_kubeconfig_of_its_own(node_cluster: Cluster) -> None:
    objects = fresh_namespace(node_cluster)
    objects.wait("ServiceAccount", "default", lambda account: True)
    kubeconfig = node_cluster.service_account_kubeconfig(objects.namespace, "default")
    who = node_cluster.kubectl("auth", "whoami", "-o", "jsonpath={.status.userInfo.username}", kubeconfig=kubeconfig)
    assert who == f"system:serviceaccount:{objects.namespace}:default"


def test_what_was_written_survives_kill_9_of_every_part() -> None:
    with start(definitions=False) as cluster:
        cluster.objects.create(_settings("kept", a="b"))
        cluster.api_server.restart()
        cluster.wait_ready()
        cluster.etcd.kill()
        cluster.etcd.start()
        wait_until(lambda: cluster.objects.get("ConfigMap", "kept"), 30, cluster.tell)


def test_a_paused_api_server_answers_when_it_goes_on() -> None:
    with start(definitions=False) as cluster:
        cluster.api_server.pause()
        assert psutil.Process(cluster.api_server.pid).status() == psutil.STATUS_STOPPED
        cluster.api_server.resume()
        cluster.wait_ready()
        assert cluster.objects.get("Namespace", "default")


def test_a_watch_from_before_a_compaction_is_told_that_it_is_too_old() -> None:
    flags = ["--watch-cache=false", "--etcd-compaction-interval=0"]
    with start(definitions=False, api_server_flags=flags) as cluster:
        old = cluster.objects.call("GET", "/api/v1/namespaces/default/configmaps")["metadata"]["resourceVersion"]
        for name in ("later", "later-still"):
            cluster.objects.create(_settings(name))
        cluster.compact()
        watch = {"watch": "true", "resourceVersion": old, "timeoutSeconds": "5"}
        answer = cluster.objects.http.get("/api/v1/namespaces/default/configmaps", params=watch)
        assert '"code":410' in answer.text or answer.status_code == 410, answer.text


_A_RUN = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job is started deaf to it
from support.cluster.cluster import start
with start(definitions=False) as cluster:
    print(cluster.folder.path, *(part.pid for part in cluster.parts.values()), flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("ended_by", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda sent: sent.name)
def test_nothing_is_left_of_a_run_that_was_ended(ended_by: signal.Signals) -> None:
    path = os.pathsep.join([str(TESTS), str(TESTS.parent / "tools")])
    with subprocess.Popen(
        [sys.executable, "-c", _A_RUN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    ) as run:
        assert run.stdout
        folder, *pids = run.stdout.readline().split()
        assert len(pids) == 2
        assert Path(folder).is_dir()
        run.send_signal(ended_by)
        run.wait(30)
    gone = psutil.wait_procs([psutil.Process(int(pid)) for pid in pids if psutil.pid_exists(int(pid))], timeout=20)
    assert not gone[1]
    wait_until(lambda: not Path(folder).exists(), 20, f"{folder} is gone")
