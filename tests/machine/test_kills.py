"""Kill -9 of any process heals, and a power cut ends in the same state."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from mizzen_cli.local.lifecycle import end_process
from mizzen_cli.local.pod.sandbox import FOLDER_MARKER
from mizzen_cli.local.pod.sandboxes import kill_marked
from mizzen_cli.local.process_identity import identity_of
from mizzen_cli.local.supervisor_state import read_state
from support.installation import Installation


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("kills"))
    installation.up()
    installation.deploy("chat")
    installation.wait(lambda: installation.ready("chat"), "ready")
    yield installation
    installation.close()


def engine_pid(running: Installation) -> int:
    (pod,) = running.ready_pods("chat")
    assert pod.state
    identity = pod.state.container("engine").identity
    assert identity
    return identity.pid


def test_a_killed_engine_is_started_again_in_the_same_pod(running: Installation) -> None:
    (before,) = running.ready_pods("chat")
    os.kill(engine_pid(running), signal.SIGKILL)

    def healed() -> bool:
        pods = running.ready_pods("chat")
        return bool(pods and pods[0].state and pods[0].state.container("engine").restarts == 1)

    running.wait(healed, "engine back")
    assert running.ready_pods("chat")[0].pod.uid == before.pod.uid


def test_a_killed_shim_costs_the_pod_and_a_new_one_takes_its_place(running: Installation) -> None:
    (before,) = running.ready_pods("chat")
    engine = identity_of(engine_pid(running))
    assert before.state
    assert before.state.shim_identity
    assert engine
    before.state.shim_identity.signal(signal.SIGKILL)
    running.wait(lambda: not engine.alive, "the engine's end")
    running.wait(
        lambda: [each.pod.uid for each in running.ready_pods("chat")] not in ([], [before.pod.uid]), "a new pod"
    )
    assert len(running.pods("chat")) == 1


@pytest.mark.parametrize("program", ["controlplane", "gateway", "runner"])
def test_a_killed_program_comes_back_and_the_engine_never_stops(running: Installation, program: str) -> None:
    engine, pid = engine_pid(running), running.pid(program)
    os.kill(pid, signal.SIGKILL)
    running.wait(lambda: running.pid(program) != pid and running.all_ready(), f"{program} back")
    running.wait(lambda: running.ready("chat"), "ready")
    assert engine_pid(running) == engine


def test_a_power_cut_ends_in_the_same_state(running: Installation) -> None:
    (before,) = running.ready_pods("chat")
    kill_marked(FOLDER_MARKER, running.folder.id)
    assert running.processes() == set()
    running.up()
    running.wait(lambda: running.ready_pods("chat") and running.ready("chat"), "ready again")
    (after,) = running.ready_pods("chat")
    assert after.pod.uid != before.pod.uid
    assert after.pod.labels == before.pod.labels


def test_frozen_revisions_lost_with_the_disk_are_made_anew(running: Installation, tmp_path: Path) -> None:
    running.wait(lambda: running.ready("chat"), "ready")
    digits = running.deployment("chat")["status"]["revisions"][0]["hash"]
    shutil.move(running.folder.revisions / "default", tmp_path / "away")
    running.wait(lambda: list((running.folder.revisions / "default" / "chat").glob(f"*/{digits}.json")), "kept again")
    running.wait(lambda: running.ready("chat") and len(running.ready_pods("chat")) == 1, "ready")


def test_a_state_file_lost_with_the_disk_leaves_no_orphan(running: Installation) -> None:
    supervisor = read_state(running.folder).supervisor
    assert supervisor
    end_process(supervisor, 5.0)
    (running.folder.run / "supervisor.json").unlink()
    assert running.processes()
    assert running.down()
    assert running.processes() == set()
