"""Identity of processes, bounded logs, and state files that are never half written."""

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from mizzen_cli.local.json_file import read_json, write_json
from mizzen_cli.local.log_file import RotatingLog, rotate_in_place
from mizzen_cli.local.pod.state import ContainerState, PodState
from mizzen_cli.local.process_identity import identity_from_json, identity_of, marked_processes


def test_an_ended_process_and_its_number_given_anew_are_not_the_process() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        identity = identity_of(child.pid)
        assert identity
        assert identity.alive
        assert identity_from_json(identity.as_json()) == identity
        assert not replace(identity, start_ticks=identity.start_ticks - 1).alive
        assert not replace(identity, boot="another boot").alive
        assert not replace(identity, start_ticks=1).signal(signal.SIGKILL)
        child.communicate(b"\n")
    assert not identity.alive
    assert not identity.signal(signal.SIGKILL)


def test_a_zombie_has_ended() -> None:
    child = subprocess.Popen([sys.executable, "-c", "print(1, flush=True)"], stdout=subprocess.PIPE)
    identity = identity_of(child.pid)
    assert child.stdout
    child.stdout.read()
    import os

    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert identity
    assert not identity.alive
    child.wait()
    child.stdout.close()


def test_marked_processes_are_found_by_the_environment_they_started_with() -> None:
    program = [sys.executable, "-c", "print('runs', flush=True); input()"]
    pipe = subprocess.PIPE
    with subprocess.Popen(program, stdin=pipe, stdout=pipe, env={"MARK_X": "a b"}) as child:
        assert child.stdout
        assert child.stdout.readline()  # before a program runs, its environment can still be empty
        assert [each.pid for each in marked_processes("MARK_X", "a b")] == [child.pid]
        assert marked_processes("MARK_X", "a") == []
        child.communicate(b"\n")


def test_a_log_starts_a_new_piece_by_size_and_keeps_the_newest(tmp_path: Path) -> None:
    log = RotatingLog(tmp_path / "a.log", max_bytes=10, keep=2)
    for number in range(5):
        log.write(f"line {number}\n".encode())
    log.close()
    assert (tmp_path / "a.log").read_text() == "line 4\n"
    assert (tmp_path / "a.log.1").read_text() == "line 3\n"
    assert (tmp_path / "a.log.2").read_text() == "line 2\n"
    assert not (tmp_path / "a.log.3").exists()


def test_a_log_is_rotated_under_a_process_that_goes_on_appending(tmp_path: Path) -> None:
    path = tmp_path / "b.log"
    with path.open("ab", buffering=0) as stream:
        stream.write(b"old line\n")
        assert rotate_in_place(path, max_bytes=5)
        stream.write(b"new\n")
        assert not rotate_in_place(path, max_bytes=5)
    assert path.read_text() == "new\n"
    assert (tmp_path / "b.log.1").read_text() == "old line\n"


def test_a_state_file_comes_back_as_it_was_and_a_torn_one_as_nothing(tmp_path: Path) -> None:
    state = PodState(uid="u", created_at="2026-01-01T00:00:00+00:00", containers=[ContainerState("engine", ready=True)])
    write_json(tmp_path / "state.json", state.as_json())
    assert PodState.from_json({**read_json(tmp_path / "state.json"), "field_of_tomorrow": 1}) == state
    (tmp_path / "state.json").write_text('{"uid": "u", "crea')
    assert read_json(tmp_path / "state.json") is None
