"""The commands against a real control plane: what they do, and what they say when it is refused."""

import csv
import io
import re
from pathlib import Path

import pytest
import yaml
from mizzen_cli.errors import ExitCode
from support.command_line import CommandLine, command_line
from support.controlplane import ControlPlane
from support.pushing import new_model, new_version, onnx_model, safetensors_file

MANIFEST = """
apiVersion: mizzen.dev/v1alpha1
kind: ModelDeployment
metadata: {name: %s}
spec:
  model: {uri: hf://simulated/chat}
  engine: {type: Simulated}
"""


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    """A folder with an ONNX model and what its training measured."""
    folder = tmp_path / "artifact"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(onnx_model())
    (folder / "metadata.json").write_text('{"accuracy": 0.8, "note": "%s"}' % ("long " * 40))
    return folder


def test_a_version_is_pushed_listed_aliased_and_compared(mizzen: CommandLine, artifact: Path) -> None:
    pushed = mizzen("models", "push", "m", artifact, "--alias", "champion", "-o", "json").json
    assert (pushed["version"], pushed["state"], pushed["aliases"]) == (1, "READY", ["champion"])
    assert pushed["metadata"]["accuracy"] == 0.8
    (artifact / "model.onnx").write_bytes(onnx_model(width=5))
    assert mizzen("models", "push", "m", artifact / "model.onnx", "-o", "name").out == "2\n"
    table = mizzen("models", "versions", "m").out
    assert max(map(len, table.splitlines())) < 160
    assert "accuracy=0.8" in table
    said = mizzen("models", "compare", "m", 1, 2).out
    assert "m 1 -> 2: NOT compatible" in said
    assert "breaks callers" in said
    mizzen("models", "alias", "m", "champion", 2)
    assert yaml.safe_load(mizzen("models", "aliases", "m", "-o", "yaml").out)[0]["version"] == 2
    assert mizzen("models", "list", "-o", "name").out == "m\n"


def test_an_artifact_that_is_not_what_it_says_fails_with_the_reason(mizzen: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("text")
    said = mizzen("models", "push", "m", tmp_path / "README.md", "--format", "onnx", code=ExitCode.REFUSED)
    assert "m version 1 is FAILED: Format ONNX needs" in said.err
    assert said.out == ""
    assert "FAILED" in mizzen("models", "versions", "m").out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("m", "--alias", "bad alias!"), "--alias 'bad alias!': may hold letters"),
        (("m", "--alias", "1st"), "must begin with a letter"),
        (("bad model!",), "MODEL 'bad model!': may hold letters"),
    ],
)
def test_a_name_is_looked_at_before_anything_is_made(
    mizzen: CommandLine, artifact: Path, words: tuple[str, ...], sentence: str
) -> None:
    assert sentence in mizzen("models", "push", words[0], artifact, *words[1:], code=ExitCode.USAGE).err
    assert mizzen("models", "list").out == "Nothing found.\n"


def test_a_version_is_shown_with_its_signature_archived_and_told_from_an_equal_one(
    mizzen: CommandLine, artifact: Path
) -> None:
    mizzen("models", "push", "m", artifact, "--alias", "champion")
    shown = mizzen("models", "show", "m@champion").out
    assert re.search(r"^Input: +\w+ FP32 \[", shown, re.MULTILINE)
    assert "Metadata:   accuracy = 0.8" in shown
    assert "Same content as version 1" in mizzen("models", "push", "m", artifact).err
    assert mizzen("models", "show", "m", "-o", "name").out == "2\n"
    in_use = mizzen("models", "archive", "m", 1, code=ExitCode.REFUSED).err
    assert "`mizzen models unalias MODEL ALIAS`" in in_use
    mizzen("models", "unalias", "m", "champion")
    assert "ARCHIVED" in mizzen("models", "archive", "m", 1).out
    assert "is ARCHIVED" in mizzen("deploy", "d", "--model", "m@1", code=ExitCode.REFUSED).err


@pytest.mark.parametrize("words", [("apply", "-f", "-", "--wait"), ("deploy", "d", "--model", "m@1")])
def test_a_version_that_failed_is_refused_at_once_and_nothing_is_made(
    mizzen: CommandLine, tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "model.onnx").write_text("text")
    mizzen("models", "push", "m", tmp_path / "model.onnx", code=ExitCode.REFUSED)
    manifest = (MANIFEST % "d").replace("uri: hf://simulated/chat", "versionRef: {model: m, version: 1}")
    said = mizzen(*words, stdin=manifest, code=ExitCode.REFUSED)
    assert "Version 1 of m is FAILED, which is final: " in said.err
    assert mizzen("get").out == "Nothing found.\n"


def test_applying_a_model_that_does_not_exist_is_refused_as_deploying_it(mizzen: CommandLine) -> None:
    manifest = (MANIFEST % "d").replace("uri: hf://simulated/chat", "versionRef: {model: ghost, alias: champion}")
    applied = mizzen("apply", "-f", "-", stdin=manifest, code=ExitCode.NOT_FOUND).err
    assert applied == mizzen("deploy", "d", "--model", "ghost", code=ExitCode.NOT_FOUND).err
    assert mizzen("get").out == "Nothing found.\n"


def test_applying_checks_every_file_before_any_is_sent(mizzen: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(MANIFEST % "good")
    (tmp_path / "b.yaml").write_text(MANIFEST % "bad" + "  replica: 3")
    said = mizzen("apply", "-f", tmp_path, code=ExitCode.USAGE)
    assert "b.yaml would be refused:\n  spec.replica: unknown field" in said.err
    assert mizzen("get").out == "Nothing found.\n"


def test_a_deployment_is_applied_shown_described_and_deleted(mizzen: CommandLine) -> None:
    assert mizzen("apply", "-f", "-", "--timeout", 0, "-o", "name", stdin=MANIFEST % "chat").out == "chat\n"
    heading, row = mizzen("get").out.splitlines()
    assert heading.split()[:4] == ["NAME", "READY", "REASON", "REPLICAS"]
    assert row.split()[:3] == ["chat", "Unknown", "Pending"]
    shown = yaml.safe_load(mizzen("get", "chat", "-o", "yaml").out)
    assert shown["spec"]["engine"]["type"] == "Simulated"
    assert "Name:      chat" in mizzen("describe", "chat").out
    assert mizzen("describe", "chat", "-o", "json").json["manifest"]["metadata"]["name"] == "chat"
    assert "chat is not known to serve: Nobody has looked" in mizzen("why", "chat").out
    assert mizzen("why", "chat", "-o", "json").json["causes"] == []
    assert "chat: paused" in mizzen("rollout", "pause", "chat").out
    assert "Paused" in mizzen("rollout", "status", "chat", "--no-wait").out
    assert "no version to go back to" in mizzen("rollout", "rollback", "chat", code=ExitCode.REFUSED).err
    assert "nothing to promote" in mizzen("rollout", "promote", "chat", code=ExitCode.REFUSED).err
    assert "chat: deleted" in mizzen("delete", "chat").out
    assert "no deployment 'chat'" in mizzen("get", "chat", code=ExitCode.NOT_FOUND).err


def test_what_a_manifest_would_change_is_shown_before_it_is_applied(mizzen: CommandLine) -> None:
    new = mizzen("diff", "-f", "-", code=1, stdin=MANIFEST % "chat").out.splitlines()
    assert new[:2] == ["--- /dev/null", "+++ applied/chat"]
    assert "Nothing is written" in mizzen("apply", "-f", "-", "--dry-run", stdin=MANIFEST % "chat").err
    assert mizzen("get").out == "Nothing found.\n"
    mizzen("apply", "-f", "-", "--timeout", 0, stdin=MANIFEST % "chat")
    assert mizzen("diff", "-f", "-", stdin=MANIFEST % "chat").out == ""
    changed = mizzen("diff", "-f", "-", code=1, stdin=MANIFEST % "chat" + "  replicas: 7").out.splitlines()
    assert [line for line in changed[2:] if line[0] in "+-"] == ["+  replicas: 7"]


def test_logs_that_the_control_plane_does_not_have_are_told_as_such(mizzen: CommandLine) -> None:
    mizzen("apply", "-f", "-", "--timeout", 0, stdin=MANIFEST % "far")
    assert "MIZZEN_PODS_DIR" in mizzen("logs", "far", code=ExitCode.REFUSED).err
    assert "no deployment 'near'" in mizzen("logs", "near", code=ExitCode.NOT_FOUND).err


def test_what_a_manifest_printed_can_be_applied_again(mizzen: CommandLine) -> None:
    mizzen("apply", "-f", "-", "--timeout", 0, stdin=MANIFEST % "chat")
    printed = mizzen("get", "chat", "-o", "yaml").out
    assert mizzen("apply", "-f", "-", "--timeout", 0, "-o", "name", stdin=printed).out == "chat\n"


def test_waiting_ends_at_its_deadline_with_a_code_of_its_own(mizzen: CommandLine) -> None:
    said = mizzen("apply", "-f", "-", "--wait", "--timeout", "0.1", stdin=MANIFEST % "x", code=ExitCode.TIMED_OUT)
    assert "x: not done after 0.1 s. Pending: not looked at yet." in said.err


def test_a_shortcut_looks_for_the_version_first(mizzen: CommandLine, artifact: Path) -> None:
    said = mizzen("deploy", "d", "--model", "m@champion", code=ExitCode.NOT_FOUND)
    assert "There is no model m" in said.err
    assert "mizzen models push m PATH --alias champion" in said.err
    mizzen("models", "push", "m", artifact)
    assert "mizzen models alias m champion 1" in mizzen("deploy", "d", "--model", "m", code=ExitCode.NOT_FOUND).err
    assert "no version 9; the newest is 1" in mizzen("deploy", "d", "--model", "m@9", code=ExitCode.NOT_FOUND).err
    mizzen("deploy", "d", "--model", "m@1", "--engine", "triton", "--no-wait")
    assert "m@1" in mizzen("get", "d").out
    wrong = mizzen("deploy", "d", "--model", "m@1", "--engine", "trition", code=ExitCode.USAGE)
    assert "did you mean `Triton`?" in wrong.err


def test_a_keys_secret_stands_alone_on_standard_output_and_its_name_serves_everywhere(mizzen: CommandLine) -> None:
    made = mizzen("keys", "create", "app", "--model", "a", "--model", "b")
    assert made.out.startswith("mzk_")
    assert len(made.out.split()) == 1
    assert "not shown again" in made.err
    assert "already" in mizzen("keys", "create", "app", code=ExitCode.REFUSED).err
    assert mizzen("keys", "rotate", "app", "-o", "json").json["secret"] != made.out.strip()
    assert "batch" in mizzen("keys", "update", "app", "--priority", "batch").out
    assert {"a,b", "batch"} <= set(mizzen("keys", "list").out.split())
    narrow = ("--operation", "embeddings", "--ip-range", "192.0.2.7", "--route", "chat")
    confined = mizzen("keys", "update", "app", *narrow, "-o", "json").json
    assert (confined["operations"], confined["ip_ranges"], confined["routes"]) == (
        ["embeddings"],
        ["192.0.2.7/32"],
        ["chat"],
    )
    opened = mizzen("keys", "update", "app", "--all-operations", "--any-network", "--all-models", "-o", "json").json
    assert (opened["operations"], opened["ip_ranges"], opened["routes"], opened["models"]) == (None, None, None, None)
    both = mizzen("keys", "update", "app", "--operation", "chat.completions", "--all-operations", code=ExitCode.USAGE)
    assert "operations are named" in " ".join(both.err.split())
    unused = ("keys", "revoke-many", "--last-used-before", "2099-01-01T00:00:00Z")
    assert "ACTIVE" in mizzen(*unused, "--dry-run").out
    assert "Say which keys" in " ".join(mizzen("keys", "revoke-many", code=ExitCode.USAGE).err.split())
    assert "REVOKED" in mizzen("keys", "revoke", "app").out
    assert "no key 'gone'" in mizzen("keys", "revoke", "gone", code=ExitCode.NOT_FOUND).err


def test_limits_budgets_and_prices_are_made_listed_and_deleted(mizzen: CommandLine) -> None:
    mizzen("limits", "create", "l", "--requests", 5, "--window", 60)
    mizzen("limits", "create", "t", "--tokens", 500, "--model", "m")
    assert mizzen("limits", "list", "-o", "name").out == "l\nt\n"
    assert "l: deleted." in mizzen("limits", "delete", "l").out
    assert "exactly one of" in mizzen("limits", "create", "x", code=ExitCode.USAGE).err
    assert "--requests 0: must be at" in mizzen("limits", "create", "x", "--requests", 0, code=ExitCode.USAGE).err
    assert "25.00" in mizzen("budgets", "create", "b", "--amount", "25.00").out
    below = mizzen("budgets", "create", "c", "--amount", "-3", code=ExitCode.REFUSED)
    assert below.err.startswith('error: --amount: "-3" is below zero')
    assert "not an amount: write digits" in mizzen("budgets", "create", "c", "--amount", "x", code=ExitCode.REFUSED).err
    assert mizzen("budgets", "delete", "b", "-o", "name").out == "b\n"
    wrong = {
        ("--window", "rolling"): "--window rolling needs its length: add --window-seconds, such as 86400",
        ("--window", "rolling", "--window-seconds", 1000): "--window-seconds 1000: must be a multiple of 900",
        ("--window", "day", "--window-seconds", 900): "--window-seconds goes with --window rolling alone; a day has",
    }
    for words, said in wrong.items():
        shown = mizzen("budgets", "create", "w", "--amount", 5, *words, code=ExitCode.USAGE).err
        assert said in " ".join(shown.replace("│", " ").split())
    timed = ("--amount", 5, "--unit", "accelerator_seconds")
    assert mizzen("budgets", "create", "g", *timed, code=ExitCode.REFUSED).err.startswith("error: --hardness: ")
    assert "No price was given" in mizzen("rate-cards", "create", "prices", code=ExitCode.USAGE).err
    mizzen("rate-cards", "create", "prices", "--per-request", "0.0002")
    assert "*: 0.0002 per request" in mizzen("rate-cards", "list").out
    mizzen("rate-cards", "create", "prices", "--per-request", "0.0002", "--model", "m")
    assert "*: 0.0002 per request" not in mizzen("rate-cards", "list").out


def test_a_limit_names_its_key_and_says_when_nothing_serves_its_model(mizzen: CommandLine) -> None:
    mizzen("keys", "create", "app", "-o", "name")
    mizzen("apply", "-f", "-", "--timeout", 0, stdin=MANIFEST % "chat" + "  aliases: [gpt]")
    assert mizzen("limits", "create", "l", "--requests", 5, "--key", "app", "--model", "chat").err == ""
    assert "key app" in mizzen("limits", "list").out
    assert mizzen("limits", "list", "-o", "json").json[0]["scope_id"].startswith("key_")
    unserved = mizzen("limits", "create", "x", "--requests", 5, "--model", "caht").err
    assert "the limit x counts nothing until a deployment serves 'caht'" in unserved
    assert "served name chat" in mizzen("budgets", "create", "y", "--amount", 5, "--model", "gpt").err


def test_money_of_which_nothing_has_a_price_is_told_and_kept(mizzen: CommandLine) -> None:
    name = mizzen.variables["MIZZEN_PROJECT"]
    mizzen("apply", "-f", "-", "--timeout", 0, stdin=MANIFEST % name)
    nothing = "counts nothing until something that it counts has a price. `mizzen rate-cards create"
    assert f"the budget b {nothing}" in mizzen("budgets", "create", "b", "--amount", 5, "--model", name).err
    assert f"the limit c {nothing}" in mizzen("limits", "create", "c", "--cost", 5, "--model", name).err
    assert mizzen("budgets", "create", "t", "--amount", 5, "--unit", "tokens", "--model", name).err == ""
    assert mizzen("limits", "create", "r", "--requests", 5, "--model", name).err == ""
    assert mizzen("budgets", "create", "off", "--amount", 5, "--mode", "off", "--model", name).err == ""
    mizzen("rate-cards", "create", name, "--per-request", 0, "--model", name)
    assert mizzen("budgets", "create", "d", "--amount", 5, "--model", name).err == ""
    assert mizzen("budgets", "create", "all", "--amount", 5).err == ""


def test_a_price_of_a_name_that_nothing_serves_in_any_project_is_told(mizzen: CommandLine) -> None:
    mine = mizzen.variables["MIZZEN_PROJECT"]
    other = f"{mine}-b"
    mizzen("projects", "create", other)
    mizzen("apply", "-p", other, "-f", "-", "--timeout", 0, stdin=MANIFEST % other + f"  aliases: [{other}-alias]")

    def said(model: str) -> str:
        return mizzen("rate-cards", "create", f"{mine}-prices", "--per-request", 1, "--model", model).err

    assert f"the price of the rate card {mine}-prices counts nothing until a deployment serves 'nomodel'" in said(
        "nomodel"
    )
    assert "use that one" in said(f"{other}-alias")
    assert said(other) == ""
    assert said(f"{other}/{other}") == ""
    assert "serves" in said(f"{other}/nomodel")
    assert said("*") == ""
    said(other)


def test_a_keys_model_that_has_no_deployment_is_told(mizzen: CommandLine) -> None:
    mizzen("apply", "-f", "-", "--timeout", 0, stdin=MANIFEST % "chat" + "  aliases: [gpt]")
    made = mizzen("keys", "create", "app", "--model", "chat", "--model", "caht", "--model", "gpt")
    assert made.out.startswith("mzk_")
    assert "the key app may call 'caht', which no deployment has as a name. `mizzen get` lists" in made.err
    assert made.err.count("warning:") == 1
    assert mizzen("keys", "update", "app", "--model", "chat").err == ""
    assert "grants list" in mizzen("keys", "update", "app", "--model", "other/chat").err


def test_a_name_that_is_not_taken_is_told_in_words_with_the_option_and_an_example(mizzen: CommandLine) -> None:
    said = mizzen("keys", "create", "Bad Name", code=ExitCode.REFUSED).err
    assert said.startswith("error: NAME: may hold lower-case letters")
    assert "as in my-app; it is `Bad Name`" in said
    ends = mizzen("keys", "create", "app", "--expires-at", "tomorrow", code=ExitCode.REFUSED).err
    assert "--expires-at: must be a time with its zone, such as 2030-01-31T12:00:00Z" in ends


def test_a_keys_models_and_end_are_changed(mizzen: CommandLine) -> None:
    mizzen("keys", "create", "app", "--model", "a")
    assert "a,b" in mizzen("keys", "update", "app", "--model", "a", "--model", "b").out
    assert mizzen("keys", "update", "app", "--all-models", "-o", "json").json["models"] is None
    ends = mizzen("keys", "update", "app", "--expires-at", "2099-01-31T00:00:00Z", "-o", "json").json["expires_at"]
    assert ends.startswith("2099-01-31")
    assert "Nothing to change" in mizzen("keys", "update", "app", code=ExitCode.USAGE).err


def test_projects_are_made_listed_and_allowed_to_carry_code(mizzen: CommandLine, tmp_path: Path) -> None:
    name = f"{mizzen.variables['MIZZEN_PROJECT']}-b"
    mizzen("projects", "create", name)
    assert name in mizzen("projects", "list", "-o", "name").out
    (tmp_path / "m" / "1").mkdir(parents=True)
    (tmp_path / "m" / "1" / "model.py").write_text("")
    (tmp_path / "m" / "config.pbtxt").write_text('name: "m"')
    refused = mizzen("models", "push", "m", tmp_path / "m", "-p", name, code=ExitCode.REFUSED).err
    assert f"mizzen projects update {name} --allow-code" in refused
    assert mizzen("projects", "update", name, "--allow-code", "-o", "json").json["allow_code"] is True
    assert mizzen("models", "push", "m", tmp_path / "m", "-p", name, "-o", "name").out == "2\n"


def test_usage_invoice_and_audit_are_shown_also_where_nothing_was_used(mizzen: CommandLine) -> None:
    mizzen("keys", "create", "app")
    assert mizzen("usage", "-o", "json").json == []
    assert "Total 0.00 USD (gathering)" in mizzen("invoice").out
    rows = list(csv.reader(io.StringIO(mizzen("invoice", "2026-01", "--csv").out)))
    assert rows[0][:2] == ["month", "project"]
    assert "month of the calendar" in mizzen("invoice", "2026-13", code=ExitCode.REFUSED).err
    newest = mizzen("audit", "--limit", 1).out.splitlines()[1]
    assert "keys.create" in newest
    assert "." not in newest.split()[0]


def test_a_server_that_does_not_answer_and_a_token_that_it_does_not_know_are_told_apart(
    controlplane: ControlPlane, tmp_path: Path
) -> None:
    gone = command_line(tmp_path, "http://127.0.0.1:9", "http://127.0.0.1:9", "t", "mzk_x")
    assert "start it with `mizzen up`" in gone("get", code=ExitCode.UNREACHABLE).err
    assert "gateway" in gone("chat", "m", "hello", code=ExitCode.UNREACHABLE).err
    foreign = command_line(tmp_path, controlplane.url, "http://127.0.0.1:9", "mzt_admin_x")
    assert f"the token of the context file {tmp_path}" in foreign("get", code=ExitCode.REFUSED).err
    assert "No API key" in foreign("chat", "m", "hello", code=ExitCode.USAGE).err


def test_without_a_context_the_way_to_one_is_told(tmp_path: Path) -> None:
    said = CommandLine({"MIZZEN_CONFIG": str(tmp_path / "none"), "HOME": str(tmp_path)})("get", code=ExitCode.USAGE)
    assert "mizzen up" in said.err
    (tmp_path / "broken").write_text("a: [")
    said = CommandLine({"MIZZEN_CONFIG": str(tmp_path / "broken"), "HOME": str(tmp_path)})("get", code=ExitCode.USAGE)
    assert "cannot be read" in said.err


def test_a_push_that_broke_off_goes_on_with_its_version_and_sends_what_is_missing(
    mizzen: CommandLine, controlplane: ControlPlane, tmp_path: Path
) -> None:
    part = 8 << 20
    content = safetensors_file({"w": [(2 << 20) + 100]})
    file = tmp_path / "model.safetensors"
    file.write_bytes(content)
    with controlplane.client() as admin:
        model = new_model(admin, mizzen.variables["MIZZEN_PROJECT"], "broken")
        version = new_version(admin, model, {file.name: content}, "Safetensors")
        path = f"{version}/parts/{file.name}"
        assert admin.put(path, params={"offset": part}, content=content[part:]).status_code == 204
        pushed = mizzen("models", "push", "broken", file)
        assert "Going on with version 1, whose push broke off." in pushed.err
        found = admin.get(version).json()
    assert (found["state"], found["files"][0]["received"]) == ("READY", True)
    sent = [line for line in controlplane.log.splitlines() if path in line and '"PUT"' in line]
    assert len(sent) == 2, sent  # the part that was here was not sent again
