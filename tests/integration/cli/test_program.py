"""`mizzen` as a program: terminals, pipes, Ctrl-C and shells."""

import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest
from support.command_line import PROGRAM, CommandLine
from support.pushing import onnx_model

MANIFEST = """
apiVersion: mizzen.dev/v1alpha1
kind: ModelDeployment
metadata: {name: chat}
spec:
  model: {uri: hf://simulated/chat}
  engine: {type: Simulated}
"""


def on_a_terminal(mizzen: CommandLine, *words: object) -> tuple[int, str]:
    """Run a program whose output is a terminal; its exit code and what stood there."""
    ours, theirs = pty.openpty()
    program = subprocess.Popen(
        [*PROGRAM, *map(str, words)],
        env={**mizzen.environment, "TERM": "xterm", "COLUMNS": "100"},
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    seen = bytearray()
    try:
        while part := os.read(ours, 65536):
            seen += part
    except OSError:
        pass  # Linux says that a terminal has ended with EIO
    finally:
        os.close(ours)
    return program.wait(30), seen.decode()


@pytest.mark.parametrize("words", [("get", "-w"), ("apply", "-f", "{manifest}", "--wait")])
def test_ctrl_c_ends_what_waits_with_its_code_and_without_a_traceback(
    words: tuple[str, ...], mizzen: CommandLine, tmp_path: Path
) -> None:
    manifest = tmp_path / "chat.yaml"
    manifest.write_text(MANIFEST)
    mizzen("apply", "-f", manifest, "--timeout", 0)
    program = mizzen.program(*(word.format(manifest=manifest) for word in words))
    assert program.stdout
    assert program.stderr
    stream = program.stdout if "-w" in words else program.stderr
    assert stream.readline()
    program.send_signal(signal.SIGINT)
    _, errors = program.communicate(timeout=30)
    assert program.returncode == 130
    assert "Traceback" not in errors


def test_a_row_that_changes_is_printed_again(mizzen: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "chat.yaml").write_text(MANIFEST)
    mizzen("apply", "-f", tmp_path / "chat.yaml", "--timeout", 0)
    program = mizzen.program("get", "--watch")
    try:
        assert program.stdout
        assert program.stdout.readline().startswith("NAME")
        assert "hf://simulated/chat" in program.stdout.readline()
        (tmp_path / "chat.yaml").write_text(MANIFEST.replace("simulated/chat", "simulated/other"))
        mizzen("apply", "-f", tmp_path / "chat.yaml", "--timeout", 0)
        assert "hf://simulated/other" in program.stdout.readline()
    finally:
        program.kill()
        program.communicate()


def test_a_terminal_gets_progress_and_a_pipe_gets_none(mizzen: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(onnx_model())
    code, seen = on_a_terminal(mizzen, "models", "push", "m", tmp_path / "model.onnx")
    assert code == 0
    assert "model.onnx" in seen
    assert "\x1b[" in seen
    (tmp_path / "model.onnx").write_bytes(onnx_model(width=5))
    piped = mizzen("models", "push", "m", tmp_path / "model.onnx")
    assert piped.err == ""
    assert "\x1b[" not in piped.out


def test_a_reader_that_goes_away_is_no_error(mizzen: CommandLine) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    program = subprocess.Popen([*PROGRAM, "get"], env=mizzen.environment, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    _, errors = program.communicate(timeout=30)
    assert b"Traceback" not in errors


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_completion(shell: str, mizzen: CommandLine) -> None:
    # Which shell asks is found among the program's ancestors; here it is told.
    told = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    asking = [*PROGRAM, "--show-completion", shell]
    shown = subprocess.run(asking, env={**mizzen.environment, **told}, capture_output=True, text=True, check=True)
    assert f"_MIZZEN_COMPLETE=complete_{shell}" in shown.stdout


def test_the_shells_question_is_answered_with_commands(mizzen: CommandLine) -> None:
    asking = {"_MIZZEN_COMPLETE": "complete_bash", "COMP_WORDS": "mizzen rollout pro", "COMP_CWORD": "2"}
    answered = subprocess.run(
        PROGRAM, env={**mizzen.environment, **asking}, capture_output=True, text=True, check=False
    )
    assert answered.stdout.split() == ["promote"]
