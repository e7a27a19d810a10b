"""Signing on this machine: a private key stays here, and nothing is signed but what was meant."""

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from mizzen_cli.artifact import LocalFile, local_files
from mizzen_cli.errors import CommandError
from mizzen_cli.signing import generate, made_elsewhere, private_key, public_text, statement
from mizzen_crds.signing import digest_of


@pytest.fixture
def files(tmp_path: Path) -> list[LocalFile]:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "a.onnx").write_text("a")
    (tmp_path / "model" / "b.txt").write_text("b")
    return local_files(tmp_path / "model")


def version_of(files: list[LocalFile]) -> dict[str, Any]:
    told = [{"path": one.path, "size": one.size, "sha256": one.sha256} for one in files]
    return {"model": "m", "version": 1, "format": "ONNX", "digest": digest_of(files), "files": told}


def test_a_generated_key_is_its_owners_alone_and_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "release.pem"
    public = generate(file)
    assert file.stat().st_mode & 0o777 == 0o600
    before = file.read_bytes()
    with pytest.raises(CommandError, match="never overwritten"):
        generate(file)
    assert file.read_bytes() == before
    load_pem_public_key(public.encode())
    assert public_text(file) == public, "of a private key the public half is sent"
    assert isinstance(private_key(file), Ed25519PrivateKey)


def test_what_is_signed_names_model_format_and_digest(files: list[LocalFile]) -> None:
    version = version_of(files)
    said = statement(version, files).decode()
    assert said == f"mizzen-model-version/1\nmodel: m\nformat: ONNX\ndigest: {version['digest']}\n"


def test_a_version_that_is_not_made_of_the_files_here_is_not_signed(files: list[LocalFile], tmp_path: Path) -> None:
    version = version_of(files)
    (tmp_path / "model" / "b.txt").write_text("c")
    with pytest.raises(CommandError, match=r"b\.txt differs"):
        statement(version, local_files(tmp_path / "model"))
    with pytest.raises(CommandError, match=r"b\.txt is not here"):
        statement(version, files[:1])
    with pytest.raises(CommandError, match=r"it has no b\.txt"):
        statement(version_of(files[:1]), files)


def test_a_digest_that_is_not_that_of_the_files_is_not_signed(files: list[LocalFile]) -> None:
    with pytest.raises(CommandError, match="not that of its files"):
        statement({**version_of(files), "digest": digest_of(files[:1])}, None)


def test_what_is_no_key_or_signature_is_told_with_the_command_that_makes_one(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x")
    with pytest.raises(CommandError, match="mizzen signing-keys generate"):
        private_key(tmp_path / "x")
    with pytest.raises(CommandError, match="openssl pkeyutl"):
        made_elsewhere(tmp_path / "x")
    with pytest.raises(CommandError, match="No such file"):
        private_key(tmp_path / "absent")
