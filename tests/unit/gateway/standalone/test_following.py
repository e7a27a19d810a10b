"""What of a changed file waits for the next start is named by the fields of the file."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mizzen_gateway.discovery.access_index import AccessState
from mizzen_gateway.discovery.known_objects import KnownObjects
from mizzen_gateway.engine.pool import EnginePool
from mizzen_gateway.routing.load import LoadBook
from mizzen_gateway.routing.table import RouteTable
from mizzen_gateway.standalone.config import GatewayFile
from mizzen_gateway.standalone.following import FileFeed, at_a_restart
from mizzen_gateway.standalone.ledger import LocalLedger
from mizzen_gateway.standalone.settings import settings_from, settings_of
from support.alone import a_file, a_key, write_file

STORE = {"url": "redis://127.0.0.1:6379"}
LIMITS = [{"name": "l", "metric": "requests", "amount": 10, "per": "minute"}]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"limits": LIMITS}, set()),
        ({"metering": {"keep_days": 3}}, set()),
        ({"name": "other"}, {"name"}),
        ({"data_dir": "elsewhere"}, {"data_dir"}),
        ({"listen": {"port": 1234}}, {"listen.port"}),
        ({"listen": {"host": "0.0.0.0", "grpc_port": 1235}}, {"listen.host", "listen.grpc_port"}),
        ({"access_log": "all"}, {"access_log"}),
        ({"max_body_bytes": 2048}, {"max_body_bytes"}),
        ({"receiving_bytes": 4096}, {"receiving_bytes"}),
        ({"timeouts": {"keep_alive": 3, "write": 4, "drain": 1}}, {"timeouts.keep_alive", "timeouts.write"}),
        ({"limits_store": STORE}, {"limits_store"}),
        ({"overload": {"admission": "off"}}, {"overload"}),
        ({"traces": {"url": "http://127.0.0.1:4318/v1/traces"}}, {"traces"}),
        ({"metering": {"fsync_seconds": 1}}, {"metering.fsync_seconds"}),
    ],
)
def test_what_waits_for_a_start_is_named_as_in_the_file(change: dict[str, Any], told: set[str], tmp_path: Path) -> None:
    before = a_file("http://127.0.0.1:9", listen={})
    path = write_file(tmp_path / "gateway.yaml", before)
    settings = [settings_from(GatewayFile.model_validate(one), path) for one in (before, before | change)]
    assert at_a_restart(*settings) == told


async def test_a_worker_tells_of_its_own_name_and_spool_no_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, entry = a_key()
    document = a_file("http://127.0.0.1:9", entry, listen={"workers": 2}, limits_store=STORE)
    path = write_file(tmp_path / "gateway.yaml", document)
    settings = replace(settings_of(path), name="gateway-1", spool_dir=tmp_path / "data" / "workers" / "1")
    settings.data_dir.mkdir()
    known = KnownObjects(RouteTable(LoadBook(), lambda _: None), tmp_path / "objects.json")
    ledger = LocalLedger(settings.data_dir)
    try:
        feed = FileFeed(settings, AccessState(60), known, EnginePool(), ledger)
        write_file(path, document | {"limits": LIMITS})
        await feed.read_again()
    finally:
        ledger.close()
    told = capsys.readouterr().out
    assert "file taken up" in told
    assert "at_a_restart=[]" in told
