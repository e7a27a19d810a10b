"""`mizzen up` and `down` with the real programs: idempotent, adopted, and without a trace afterwards."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from mizzen_cli.local.lifecycle import UpOptions, status, up
from mizzen_cli.local.ports import PortInUseError, free_port
from support.installation import Installation


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("installation"))
    installation.up()
    yield installation
    installation.close()


def test_up_brings_everything_and_repeating_it_changes_nothing(running: Installation) -> None:
    before = running.processes()
    assert running.all_ready()
    assert running.up().already_running
    assert running.processes() == before


def test_a_deployment_becomes_ready_scales_and_leaves_with_its_pods(running: Installation) -> None:
    running.deploy("scaled")
    running.wait(lambda: running.ready("scaled"), "ready")
    first = {each.pod.name for each in running.ready_pods("scaled")}
    running.deploy("scaled", replicas=2)
    running.wait(lambda: len(running.ready_pods("scaled")) == 2 and running.ready("scaled"), "two pods")
    assert first < {each.pod.name for each in running.ready_pods("scaled")}
    assert running.api("DELETE", "deployments/scaled").status_code < 300
    running.wait(lambda: not running.pods("scaled"), "pods gone")
    running.wait(lambda: not (running.folder.revisions / "default" / "scaled").exists(), "revisions gone")


def test_a_new_revision_replaces_the_old_one(running: Installation) -> None:
    running.deploy("rolled", "--seed=1")
    running.wait(lambda: running.ready("rolled"), "ready")
    (old,) = running.ready_pods("rolled")
    running.deploy("rolled", "--seed=2")
    running.wait(lambda: not any(each.pod.name == old.pod.name for each in running.pods("rolled")), "old pod gone")
    running.wait(lambda: running.ready("rolled"), "ready again")
    states = [each["state"] for each in running.deployment("rolled")["status"]["revisions"]]
    assert states[0] == "Serving"
    running.api("DELETE", "deployments/rolled")


def test_a_refused_flag_becomes_a_condition_with_its_remedy_and_leaves_the_pod_alone(running: Installation) -> None:
    running.deploy("refused")
    running.wait(lambda: running.ready("refused"), "ready")
    (old,) = running.ready_pods("refused")
    running.deploy("refused", "--port=1")
    running.wait(lambda: "ArgNotAllowed" in running.reasons("refused"), "refusal")
    assert [each.pod.name for each in running.ready_pods("refused")] == [old.pod.name]
    running.api("DELETE", "deployments/refused")


def test_a_port_in_use_refuses_a_second_installation_with_the_option(running: Installation, tmp_path: Path) -> None:
    with pytest.raises(PortInUseError, match=r"--port"):
        up(
            UpOptions(
                tmp_path / "data",
                running.options.port,
                free_port(set()),
                timeout_seconds=5.0,
                context_file=tmp_path / "config.yaml",
            ),
            lambda _: None,
        )
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = holder.getsockname()[1]
        with pytest.raises(PortInUseError, match=rf"port {taken} .*pid {os.getpid()}.*--gateway-port"):
            up(
                UpOptions(
                    tmp_path / "data",
                    free_port({taken}),
                    taken,
                    timeout_seconds=5.0,
                    context_file=tmp_path / "config.yaml",
                ),
                lambda _: None,
            )
    assert not (tmp_path / "data").exists(), "a start that was refused leaves nothing behind"


def test_two_data_folders_run_side_by_side_and_one_ends_without_the_other(
    running: Installation, tmp_path: Path
) -> None:
    other = Installation(tmp_path)
    try:
        other.up()
        for each in (running, other):
            each.deploy("twin")
        for each in (running, other):
            each.wait(lambda each=each: each.ready("twin"), "ready")
        addresses = {seen.state.address for each in (running, other) for seen in each.pods("twin") if seen.state}
        assert len(addresses) == 2
        assert other.down()
        assert not other.processes()
    finally:
        other.close()
    assert running.all_ready()
    assert running.ready_pods("twin")


def test_a_new_supervisor_adopts_what_the_old_one_left(running: Installation) -> None:
    programs = {name: running.pid(name) for name in ("controlplane", "gateway", "runner")}
    seen = status(running.options.data_dir)
    assert seen
    assert seen.supervised
    from mizzen_cli.local.supervisor_state import read_state

    supervisor = read_state(running.folder).supervisor
    assert supervisor
    supervisor.signal(signal.SIGKILL)
    running.wait(lambda: not supervisor.alive, "supervisor's end")
    assert running.all_ready()
    running.up()
    assert {name: running.pid(name) for name in programs} == programs
    os.kill(programs["gateway"], signal.SIGKILL)
    running.wait(lambda: running.pid("gateway") != programs["gateway"] and running.all_ready(), "gateway back")


def test_down_leaves_nothing_and_up_brings_the_same_back(running: Installation) -> None:
    running.deploy("kept")
    running.wait(lambda: running.ready("kept"), "ready")
    assert running.down()
    assert running.processes() == set()
    assert list(running.folder.pods.glob("*/*")) == []
    assert not running.down()
    running.up()
    running.wait(lambda: running.ready_pods("kept") and running.ready("kept"), "the same deployment again")
