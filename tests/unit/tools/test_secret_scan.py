"""Secrets in the repository are found, told without the secret, and accepted by name alone."""

from pathlib import Path

import secret_scan


def test_a_secret_is_told_with_its_line_and_never_repeated(tmp_path: Path) -> None:
    token = "gh" + "p_" + "a" * 36
    (tmp_path / "notes.md").write_text(f"first\n{token}\n")
    said = secret_scan.mistakes(secret_scan.secrets_in(tmp_path, ["notes.md"]), ())
    assert said == [
        "notes.md:2: holds a GitHub token; revoke it and take it out, "
        "or accept it in tools/secret_scan.py with the reason"
    ]
    assert token not in said[0]


def test_what_is_accepted_passes_and_an_acceptance_of_nothing_does_not() -> None:
    found = {("a.md", secret_scan.URL): 3}
    assert secret_scan.mistakes(found, {("a.md", secret_scan.URL)}) == []
    assert secret_scan.mistakes({}, {("a.md", secret_scan.URL)}) == [
        "a.md: a password in a URL is accepted in tools/secret_scan.py and is not there"
    ]
