"""The commands against a whole installation: `mizzen up`, a model that answers, its logs, its bill, `mizzen down`."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mizzen_cli.errors import ExitCode
from support.command_line import CommandLine, Ended
from support.installation import Installation

CHAT = Path(__file__).parents[2] / "examples/simulated/chat.yaml"


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A data folder and ports of its own; `mizzen up` makes the rest."""
    installation = Installation(tmp_path_factory.mktemp("installation"))
    yield installation
    installation.close()


@pytest.fixture(scope="module")
def machine(installation: Installation) -> CommandLine:
    """A shell on a machine that runs Mizzen."""
    options = installation.options
    shell = CommandLine({"MIZZEN_CONFIG": str(installation.context_file)})
    said = shell("up", "--data-dir", options.data_dir, "--port", options.port, "--gateway-port", options.gateway_port)
    assert said.out.startswith("Mizzen is ready in")
    assert f"http://127.0.0.1:{options.gateway_port}" in said.out
    return shell


@pytest.fixture(scope="module")
def chat(machine: CommandLine) -> CommandLine:
    """The same with a model that answers."""
    waited = machine("apply", "-f", CHAT, "--wait", "--timeout", 60)
    assert "chat: Available: 1 of 1 replica is ready." in waited.err
    assert waited.out.splitlines()[1].split()[:4] == ["chat", "True", "Available", "1/1"]
    return machine


def until(ask: Callable[[], Ended], holds: Callable[[Ended], object], seconds: float = 20.0) -> Ended:
    """Ask until the answer is as wanted."""
    deadline = time.monotonic() + seconds
    while not holds(answer := ask()):
        assert time.monotonic() < deadline, answer
    return answer


def test_up_may_be_repeated_and_stays_with_the_data_folder_of_the_context(
    machine: CommandLine, installation: Installation
) -> None:
    elsewhere = CommandLine({**machine.variables, "MIZZEN_PROJECT": "elsewhere", "MIZZEN_TOKEN": "foreign"})
    before = installation.context_file.read_text()
    said = elsewhere("up").out
    assert said.startswith("Mizzen is already running")
    assert str(installation.options.data_dir) in said
    assert installation.context_file.read_text() == before


def test_status_shows_every_program(machine: CommandLine) -> None:
    assert set(machine("status", "-o", "name").out.split()) >= {"supervisor", "controlplane", "gateway", "runner"}


def test_the_doctor_knows_its_own_ports(machine: CommandLine, installation: Installation) -> None:
    (ports,) = [each for each in machine("doctor", "-o", "json").json if each["name"] == "ports"]
    assert ports["state"] == "ok"
    assert f"{installation.options.gateway_port} are held by this Mizzen" in ports["detail"]


def test_a_shell_gets_what_openais_clients_need(machine: CommandLine, installation: Installation) -> None:
    url, key = machine("env").out.splitlines()
    assert url == f"export OPENAI_BASE_URL=http://127.0.0.1:{installation.options.gateway_port}/v1"
    assert key.startswith("export OPENAI_API_KEY=mzk_")


def test_a_model_answers_as_a_stream_and_as_a_whole(chat: CommandLine) -> None:
    assert chat("chat", "chat", "hello", "--max-tokens", 5).out.startswith("This is a simulated answer")
    whole = chat("chat", "chat", "hello", "--max-tokens", 5, "-o", "json").json
    assert whole["usage"]["completion_tokens"] == 5


def test_an_unknown_model_and_a_wrong_protocol_are_told(chat: CommandLine) -> None:
    assert "'nope' does not exist" in chat("chat", "nope", "hello", code=ExitCode.NOT_FOUND).err
    refused = chat("infer", "chat", "--input", "a=1", code=ExitCode.REFUSED)
    assert "does not speak the Open Inference Protocol (/v2); use `mizzen chat`." in refused.err


def test_a_key_that_is_not_of_here_is_refused(chat: CommandLine) -> None:
    foreign = CommandLine({**chat.variables, "MIZZEN_API_KEY": "mzk_foreign"})
    assert "401" in foreign("chat", "chat", "hello", code=ExitCode.REFUSED).err


def test_the_logs_of_a_deployment_and_of_one_pod_are_printed(chat: CommandLine, installation: Installation) -> None:
    printed = chat("logs", "chat", "--tail", -1).out
    (pod,) = installation.pods("chat")
    assert printed.startswith(f"{pod.pod.name}/")
    assert f"{pod.pod.name}/engine | " in chat("logs", "chat", "--pod", pod.pod.name, "-c", "engine").out
    assert f"{pod.pod.name}/engine" in chat("logs", "chat", "-c", "x", code=ExitCode.NOT_FOUND).err


def test_what_was_asked_is_on_the_bill(chat: CommandLine) -> None:
    chat("rate-cards", "create", "prices", "--per-request", "1.00")

    def used_after_one_more() -> Ended:
        # A price is with the gateways within a second, so that the first requests may still cost nothing.
        chat("chat", "chat", "hello", "--max-tokens", 1)
        return chat("usage", "-o", "json")

    used = until(used_after_one_more, lambda answer: answer.json and answer.json[0]["cost"] != "0.00")
    assert used.json[0]["model"] == "chat"
    assert "chat" in chat("invoice").out


def test_a_deployment_that_cannot_run_says_why_and_what_to_do(machine: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(
        CHAT.read_text().replace("name: chat", "name: bad").replace("--decode-ms", "--nonsense")
    )
    for wait in ("--wait", "--no-wait"):
        applied = machine("apply", "-f", tmp_path / "bad.yaml", wait, code=ExitCode.REFUSED)
        assert "ArgNotAllowed: spec.engine.args[0]: --nonsense" in applied.err
        assert applied.err.endswith("See: mizzen describe bad\n")
        assert applied.err.count("--nonsense") == 1
        assert "The deployment bad exists" in applied.err
    assert "ArgNotAllowed" in applied.out
    described = machine("describe", "bad").out
    assert "allowedArgs of the ServingRuntime" in described
    machine("delete", "bad")


def test_a_deleted_deployment_leaves_the_machine(chat: CommandLine) -> None:
    chat("deploy", "gone", "--model", "nope", code=ExitCode.NOT_FOUND)
    chat("delete", "chat")
    until(lambda: chat("status", "-o", "json"), lambda answer: all(row["kind"] != "pod" for row in answer.json))
    assert chat("get").out == "Nothing found.\n"


def test_down_stops_everything_and_status_says_so(machine: CommandLine, installation: Installation) -> None:
    assert machine("down").out == "Mizzen has stopped.\n"
    assert installation.processes() == set()
    assert machine("down").out == "Nothing ran.\n"
    assert "`mizzen up` starts what is missing" in machine("status", code=ExitCode.REFUSED).err
    assert "`mizzen up`" in machine("get", code=ExitCode.UNREACHABLE).err
