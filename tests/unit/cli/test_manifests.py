"""What a person wrote is checked before anything is sent; a sentence names file, field and remedy."""

import io
from pathlib import Path

import pytest
from mizzen_cli.errors import CommandError, ExitCode
from mizzen_cli.manifests import check_manifest, read_manifests

GOOD = """
apiVersion: mizzen.dev/v1alpha1
kind: ModelDeployment
metadata: {name: %s}
spec:
  model: {uri: hf://a/b}
  engine: {type: Simulated}
"""


def written(path: Path, text: str) -> Path:
    """A file of this text."""
    path.write_text(text)
    return path


def test_a_file_may_hold_several_and_a_folder_several_files(tmp_path: Path) -> None:
    written(tmp_path / "b.yml", GOOD % "third")
    written(tmp_path / "a.yaml", (GOOD % "first") + "---\n" + (GOOD % "second") + "---\n")
    written(tmp_path / "notes.txt", "not looked at")
    assert [each["metadata"]["name"] for each in read_manifests(tmp_path)] == ["first", "second", "third"]


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(GOOD % "piped"))
    assert read_manifests(Path("-"))[0]["metadata"]["name"] == "piped"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [", r"f\.yaml is not YAML: .*line 1, column 5"),
        ("a:\n  b: 1\n c: 2", r"line 3, column 2\. Indent all fields of one object alike"),
        ("a: b: c", r"line 1, column 5\. Indent all fields"),
        ("a:\n\tb: 1", r"line 2, column 1\. Indent with blanks: a tab is not allowed"),
        ("\x00", r"f\.yaml is not YAML"),
        ("", r"f\.yaml: no manifest in it"),
        ("kind: Pod", r"f\.yaml: kind is 'Pod'; `mizzen apply` takes ModelDeployment"),
        ("kind: ModelRoute", r"takes ModelDeployment\. On Kubernetes, .* `routes` in the file of `mizzen gateway"),
        ("- a list", r"f\.yaml: kind is None"),
        (GOOD % "x" + "  replica: 3", r"f\.yaml would be refused:\n  spec\.replica: .*did you mean `replicas`"),
        (GOOD % "x" + "  replicas: three", r"f\.yaml would be refused:\n  spec\.replicas: "),
        ((GOOD % "x").replace("uri: hf://a/b", "uri: hf://a/b, versionRef: {model: a, alias: b}"), "exactly one"),
    ],
)
def test_a_mistake_is_told_with_its_file_and_field(text: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=sentence) as refused:
        read_manifests(written(tmp_path / "f.yaml", text))
    assert refused.value.code is ExitCode.USAGE


def test_a_folder_without_manifests_and_a_file_that_is_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"no \*\.yaml file"):
        read_manifests(tmp_path)
    with pytest.raises(CommandError, match="No such file"):
        read_manifests(tmp_path / "gone.yaml")


def test_one_bad_manifest_spoils_the_whole_folder(tmp_path: Path) -> None:
    written(tmp_path / "a.yaml", GOOD % "good")
    written(tmp_path / "b.yaml", GOOD % "Bad_Name")
    with pytest.raises(CommandError, match=r"b\.yaml would be refused:\n  metadata\.name"):
        read_manifests(tmp_path)


def test_a_manifest_of_a_shortcut_is_told_by_the_command() -> None:
    with pytest.raises(CommandError, match=r"^mizzen deploy x would be refused"):
        check_manifest({"metadata": {"name": "x"}, "spec": {}}, "mizzen deploy x")
