"""`mizzen gateway check` says of a file what the start of the gateway would say."""

from pathlib import Path
from typing import Any

import click
import pytest
import trustme
import typer
from mizzen_cli.commands.gateway import check, key, run
from mizzen_cli.errors import CommandError, ExitCode
from mizzen_gateway.standalone.reading import FileRefusedError
from mizzen_gateway.standalone.settings import settings_of
from support.alone import a_file, a_key, write_file


def a_right_file(folder: Path, **more: Any) -> Path:
    _, entry = a_key()
    return write_file(folder / "gateway.yaml", a_file("http://127.0.0.1:9/v1", entry, **more))


def refusal_of(file: Path) -> str:
    with pytest.raises(CommandError) as refused:
        check(file)
    assert refused.value.code == ExitCode.USAGE
    return str(refused.value)


def a_pair(folder: Path, certificate: trustme.LeafCert, key: trustme.LeafCert) -> None:
    (folder / "tls.crt").write_bytes(b"".join(one.bytes() for one in certificate.cert_chain_pems))
    (folder / "tls.key").write_bytes(key.private_key_pem.bytes())


def test_the_certificate_of_the_port_is_checked(tmp_path: Path) -> None:
    file = a_right_file(tmp_path, listen={"tls_dir": "tls"})
    said = refusal_of(file)
    assert "listen.tls_dir: " in said
    assert "has no usable pair of tls.crt and tls.key" in said
    authority, folder = trustme.CA(), tmp_path / "tls"
    folder.mkdir()
    one, other = authority.issue_cert("localhost"), authority.issue_cert("localhost")
    a_pair(folder, one, other)
    assert "has no usable pair" in refusal_of(file), "the key is another's"
    a_pair(folder, one, one)
    check(file)


def test_the_authority_of_the_collector_is_checked(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    file = a_right_file(tmp_path, traces={"url": "https://c.example.com/v1/traces", "ca": "ca.pem"})
    assert "traces.ca: " in refusal_of(file)


def test_routes_are_told_with_all_their_ways(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = [{"name": name, "upstreams": ["local"]} for name in ("small", "big")]
    routes = [
        {
            "name": "best",
            "models": [{"model": "big"}],
            "fallbacks": ["small"],
            "by_header": [{"name": "x-tier", "models": [{"model": "small"}]}],
            "mirrors": [{"model": "small"}],
        },
        {"name": "both", "pipeline": [{"name": "one", "model": "big"}, {"name": "two", "model": "small"}]},
    ]
    check(a_right_file(tmp_path, models=models, routes=routes))
    told = capsys.readouterr().out
    assert "route best to big; by x-tier to small; falls back to small; copied to small\n" in told
    assert "route both through big, small\n" in told


def test_keys_that_have_expired_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = [a_key()[1] for _ in range(3)]
    keys[1]["expires_at"] = "2020-01-01T00:00:00Z"
    file = a_right_file(tmp_path, projects=[{"name": "team-a", "keys": keys}])
    check(file=file)
    assert "project team-a with 3 key(s), 1 of them expired\n" in capsys.readouterr().out


def test_a_key_has_a_name_that_the_file_takes() -> None:
    with pytest.raises(CommandError, match="is no name of a key"):
        key('x"y: }')


def test_all_secrets_that_are_not_there_are_told_with_line_and_field(tmp_path: Path) -> None:
    upstream = {"name": "local", "url": "https://x.example.com", "api_key": {"env": "NO_SUCH_KEY"}, "ca_file": "ca.pem"}
    keys = [{"name": "k", "key": {"file": "absent"}}]
    lines = refusal_of(a_right_file(tmp_path, upstreams=[upstream], projects=[{"name": "team-a", "keys": keys}])).split(
        "\n"
    )
    assert [line.partition("gateway.yaml:")[2].split(": ")[1] for line in lines] == [
        "upstreams[0].api_key",
        "projects[0].keys[0].key",
        "upstreams[0].ca_file",
    ]
    assert "gateway.yaml:7: upstreams[0].api_key: the variable NO_SUCH_KEY of the environment is empty" in lines[0]
    file = tmp_path / "gateway.yaml"
    with pytest.raises(FileRefusedError) as of_the_program:
        settings_of(file)
    with pytest.raises(CommandError) as of_the_command:
        run(typer.Context(click.Command("gateway")), file)
    assert str(of_the_program.value) == str(of_the_command.value) == "\n".join(lines), "as `check` has it"
