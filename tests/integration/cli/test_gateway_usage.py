"""`mizzen gateway usage` in a pipe whose reader has seen enough."""

import asyncio
import os
import subprocess
from pathlib import Path

import orjson
from mizzen_gateway.standalone.ledger import LocalLedger
from support.alone import a_file, write_file
from support.command_line import PROGRAM

ROWS = 5_000  # some 400 KB of CSV: more than a pipe holds


def row(number: int) -> bytes:
    return orjson.dumps(
        {
            "project_id": "prj_a", "request_id": f"req_{number}", "key_id": "key_k", "model": "small", "status": 200,
            "operation": "completions", "started_at": "2026-11-23T10:00:00+00:00", "currency": "USD", "gateway": "g",
        }
    )  # fmt: skip


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    file = write_file(tmp_path / "gateway.yaml", a_file("http://127.0.0.1:9/v1"))
    (tmp_path / "data").mkdir()
    ledger = LocalLedger(tmp_path / "data")
    asyncio.run(ledger.ship([row(number) for number in range(ROWS)]))
    ledger.close()
    command = [*PROGRAM, "gateway", "usage", "--config", str(file)]
    with subprocess.Popen(
        command, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as program:
        assert program.stdout
        assert program.stderr
        assert program.stdout.readline().startswith(b"started_at,request_id,")
        program.stdout.close()  # as `head` does
        assert program.stderr.read() == b""
        assert program.wait(60) == 0
