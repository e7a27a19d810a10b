"""Every refusal of either server reads as commands: no path, method or header where a person types `mizzen`."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import mizzen_controlplane
import mizzen_gateway
import pytest
from mizzen_cli.main import app
from mizzen_cli.remedies import GATEWAY_WORDS, OWN_WORDS, PROBLEM_REMEDIES, SAYS_IT_ALL, in_commands, with_remedy
from mizzen_crds.v1alpha1.conditions import REASONS
from mizzen_crds.v1alpha1.labels import DEPLOYMENT
from mizzen_gateway.protocols.open_inference.errors import engine_refused, unknown_version
from mizzen_gateway.routing.deployment import EndpointSetFacts
from mizzen_gateway.routing.table import not_allowed, unknown, wrong_protocol
from mizzen_gateway.stages import Refusal
from mizzen_kube import resources
from mizzen_operator.kinds.model_deployment.containers import ENGINE, FETCH
from typer.main import get_command

TABLES = (PROBLEM_REMEDIES.keys(), OWN_WORDS.keys(), SAYS_IT_ALL, {"unauthorized"})
REST = re.compile(r"\b(GET|POST|PUT|PATCH|HEAD)\b|/api/v1|\{p\}")
PROBLEMS = {
    "BadRequest", "Unauthorized", "Forbidden", "NotFound", "RequestTimeout", "Conflict", "Gone", "PreconditionFailed",
    "TooLarge", "Invalid", "Unavailable", "InsufficientStorage", "MethodNotAllowed", "Problem", "invalid_field",
}  # fmt: skip


def calls() -> Iterator[ast.Call]:
    """Where the control plane makes a problem."""
    for file in Path(str(mizzen_controlplane.__file__)).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in PROBLEMS:
                yield node


def texts(node: ast.AST) -> Iterator[str]:
    """The words written in a piece of the program."""
    return (each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str))


def problem_codes() -> set[str]:
    """Every code that the control plane may answer with."""
    kit = Path(str(mizzen_controlplane.__file__)).parent / "kit"
    of_classes = {
        code
        for file in ("problem.py", "rendering.py")
        for code in re.findall(r"status, code, title = \d+, \"(\w+)\"", (kit / file).read_text())
    }
    named = {
        str(word.value.value)
        for call in calls()
        for word in call.keywords
        if word.arg == "code" and isinstance(word.value, ast.Constant)
    }
    return of_classes | named | {"internal_error"}


def test_every_code_of_the_control_plane_is_in_one_table_alone() -> None:
    known = [code for table in TABLES for code in table]
    assert set(known) == problem_codes()
    assert len(known) == len(set(known))


def test_no_sentence_that_the_command_line_repeats_speaks_of_rest() -> None:
    found = [
        text
        for call in calls()
        if not any(isinstance(word.value, ast.Constant) and word.value.value in OWN_WORDS for word in call.keywords)
        for text in texts(call)
        if REST.search(text) and "use /api/v1/projects" not in text  # the organization's limits: no command makes them
    ]
    assert found == []


def remedies() -> list[str]:
    """What is said to people at the command line, and in the conditions of any object."""
    problems = [*PROBLEM_REMEDIES.values(), *OWN_WORDS.values(), *(command for _, command in GATEWAY_WORDS)]
    return problems + [text for row in REASONS.values() for text in (row.meaning, row.remedy)]


def commands_of(program: str) -> set[tuple[str, ...]]:
    """Words of every command of a program that a remedy names."""
    quoted = [found for text in remedies() for found in re.findall(r"`([^`]+)`", text)]
    return {tuple(one.split()[1:]) for one in quoted if one.split()[0] == program}


def test_every_command_that_a_remedy_names_exists() -> None:
    named = commands_of("mizzen")
    assert ("logs", "NAME", "-c", "engine") in named
    for words in named:
        command, rest = get_command(app), list(words)
        while hasattr(command, "commands"):
            assert rest, f"{words} is a group of commands"
            assert rest[0] in command.commands, words
            command = command.commands[rest.pop(0)]
        # What is left are placeholders and options: a word of its own would be taken for a name.
        options = {option for each in command.params for option in each.opts}
        given = [word.partition("=")[0] for word in rest if word.startswith("-")]
        assert set(given) <= options, words
        values = {rest[place + 1] for place, word in enumerate(rest[:-1]) if word in ("-c", "-o", "-f")}
        assert [word for word in rest if word[0] != "-" and not word.isupper() and word not in values] == [], words


def test_every_kubectl_command_that_a_remedy_names_is_of_a_kind_and_a_label_that_exist() -> None:
    known = {str(kind) for kind in vars(resources).values() if isinstance(kind, resources.Resource)} | {"node"}
    named = commands_of("kubectl")
    assert ("get", "servingruntimes.mizzen.dev") in named
    for verb, *rest in named:
        assert verb in {"get", "describe", "logs", "uncordon"}, (verb, rest)
        if verb in ("get", "describe"):
            assert set(rest[0].split(",")) <= known, rest
        if verb == "logs":
            assert rest[:4] == ["-n", "NAMESPACE", "-l", f"{DEPLOYMENT}=NAME"]
            assert rest[5] in {"CONTAINER", ENGINE, FETCH}


def test_logs_are_told_for_a_cluster_as_for_one_machine() -> None:
    named = [row for row in REASONS.values() if " logs " in row.remedy]
    assert {row.reason for row in named} >= {"CrashLooping", "StartupTimedOut", "ReplicaUnready", "LoadStalled"}
    programs = {row.reason: set(re.findall(r"`(\w+) logs", row.remedy)) for row in named}
    assert [reason for reason, found in programs.items() if found != {"kubectl", "mizzen"}] == []


def test_a_remedy_follows_the_sentence_and_headers_are_put_into_plain_words() -> None:
    said = with_remedy("alias_not_found", "The model 'm' has no alias 'x'.")
    assert said.startswith("The model 'm' has no alias 'x'. `mizzen models aliases MODEL`")
    assert "If-Match" not in with_remedy("precondition_failed", 'If-Match is "a", but its ETag is "b" now.')
    assert with_remedy("", "text") == "text"


@pytest.mark.parametrize(
    ("variables", "source"),
    [({"MIZZEN_TOKEN": "t", "MIZZEN_API_KEY": "k"}, "the variable MIZZEN_"), ({}, "the context file /c.yaml")],
)
def test_a_token_or_key_that_is_refused_is_told_by_where_it_came_from(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], source: str
) -> None:
    monkeypatch.setenv("MIZZEN_CONFIG", "/c.yaml")
    for name in ("MIZZEN_TOKEN", "MIZZEN_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert source in with_remedy("unauthorized", "The token is not known here.")
    assert source in in_commands(401, "The API key is missing or not valid.")


@pytest.mark.parametrize(
    "refusal",
    [
        unknown("m"),
        not_allowed("m"),
        unknown_version("m", "2"),
        engine_refused(400, "m"),
        wrong_protocol("OpenInference", "m", EndpointSetFacts(("n", "m"), "OpenAI", "vLLM", "m")),
        wrong_protocol("OpenAI", "m", EndpointSetFacts(("n", "m"), "OpenInference", "Triton", "m")),
    ],
)
def test_a_sentence_of_the_gateway_names_commands_instead_of_paths(refusal: Refusal) -> None:
    said = in_commands(refusal.status, refusal.message)
    assert "`mizzen " in said
    assert not re.search(r"GET|/v[12]/", said)


def test_no_path_in_the_gateways_sentences_is_left_without_a_command() -> None:
    package = Path(str(mizzen_gateway.__file__)).parent
    named = {
        path
        for file in package.rglob("*.py")
        for call in ast.walk(ast.parse(file.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Refusal"
        for text in texts(call)
        for path in re.findall(r"GET /v[12]/\w+", text)
    }
    assert named <= {"GET /v1/models", "GET /v2/models"}
