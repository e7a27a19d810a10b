"""A newcomer's way: `mizzen gateway` in front of a plain server of the OpenAI API, called by the package `openai`."""

import asyncio
import csv
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import aiohttp
import openai
import pytest
from support.free_ports import free_port
from support.gateway import wait_for_http
from support.limit_servers import PASSWORD, running_valkey
from support.simulated_engine import simulated_engine

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/gateway/gateway.yaml"
HOW_TO = ROOT / "docs/how-to/gateway-alone.md"
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("MIZZEN_")}


def mizzen(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command, to its end."""
    command = [sys.executable, "-m", "mizzen_cli.main", "gateway", *words]
    environment = {**ENVIRONMENT, **variables}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


def pieces_of_the_page() -> list[str]:
    """The blocks of YAML of the how-to, in order."""
    return re.findall(r"```yaml\n(.*?)```", HOW_TO.read_text(), re.DOTALL)


def test_the_page_can_be_followed_to_the_end(tmp_path: Path) -> None:
    first, project, prices = pieces_of_the_page()
    made = mizzen(tmp_path, "key", "laptop")
    key, line = made.stdout.strip(), made.stderr.splitlines()[-1].strip()
    port, admin = free_port(), free_port()
    with simulated_engine("HuggingFaceTB/SmolLM2-135M-Instruct", "--decode-ms", "1") as (host, inner):
        text = first.replace("http://127.0.0.1:8000/v1", f"http://{host}:{inner}/v1")
        text = re.sub(r"- \{name: laptop.*", line, text) + f"listen: {{port: {port}, admin_port: {admin}}}\n"
        file = tmp_path / "gateway.yaml"
        file.write_text(text)
        checked = mizzen(tmp_path, "check")
        assert (checked.returncode, checked.stdout.splitlines()[0]) == (0, "gateway.yaml is right.")
        command = [sys.executable, "-m", "mizzen_cli.main", "gateway"]
        with (tmp_path / "log").open("wb") as log:
            gateway = subprocess.Popen(command, cwd=tmp_path, env=ENVIRONMENT, stdout=log, stderr=log)
        try:
            wait_for_http(f"http://127.0.0.1:{admin}/readyz", gateway)
            client = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=key, max_retries=0)
            assert say_hello(client)
            file.write_text(text.replace("listen:", project.replace("amount: 60", "amount: 1") + prices + "listen:"))
            gateway.send_signal(signal.SIGHUP)
            wait_for_line(tmp_path / "log", "file taken up")
            assert say_hello(client), "the one that the limit admits"
            with pytest.raises(openai.RateLimitError, match="team-a-requests"):
                say_hello(client)
        finally:
            gateway.terminate()
            assert gateway.wait(30) == 0
    rows = list(csv.DictReader(io.StringIO(mizzen(tmp_path, "usage").stdout)))
    assert [(row["project"], row["model"], row["upstream"]) for row in rows] == [("team-a", "small", "local")] * 2
    assert float(rows[0]["cost"]) == 0 < float(rows[1]["cost"])


def say_hello(client: openai.OpenAI) -> str:
    """What the model answers."""
    answer = client.chat.completions.create(
        model="small", messages=[{"role": "user", "content": "Hello"}], max_tokens=8
    )
    return answer.choices[0].message.content or ""


def wait_for_line(log: Path, words: str) -> None:
    """Until the log has them."""
    deadline = time.monotonic() + 20
    while words not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)


def test_the_example_is_right(tmp_path: Path) -> None:
    shutil.copy(EXAMPLE, tmp_path)
    key = mizzen(tmp_path, "key").stdout.strip()
    checked = mizzen(tmp_path, "check", HOSTED_API_KEY="sk-1", NIGHTLY_KEY=key)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout.splitlines()[-1] == "4 limit(s), 1 budget(s), 2 price(s)"
    lacking = mizzen(tmp_path, "check", NIGHTLY_KEY=key)
    assert lacking.returncode == 2
    assert "upstreams[2].api_key: the variable HOSTED_API_KEY of the environment is empty or not" in lacking.stderr


def test_a_port_in_use_is_told_in_the_words_of_the_file(tmp_path: Path) -> None:
    made = mizzen(tmp_path, "key", "laptop").stderr.splitlines()[-1].strip()
    with simulated_engine("m") as (_, taken):
        (tmp_path / "gateway.yaml").write_text(
            f"listen: {{port: {taken}}}\nupstreams:\n- {{name: u, url: http://127.0.0.1:9}}\n"
            f"models:\n- {{name: m, upstreams: [u]}}\nprojects:\n- name: p\n  keys:\n  {made}\n"
        )
        ended = mizzen(tmp_path)
    assert ended.returncode == 2
    assert f"listen.port: cannot listen on 127.0.0.1:{taken}" in ended.stderr


def test_a_gateway_that_is_killed_forgets_no_row_and_books_none_twice(tmp_path: Path) -> None:
    port, admin = free_port(), free_port()
    made = mizzen(tmp_path, "key", "laptop")
    key, entry = made.stdout.strip(), made.stderr.splitlines()[-1].strip()
    with simulated_engine("inner", "--decode-ms", "50") as (host, inner):
        (tmp_path / "gateway.yaml").write_text(
            f"listen: {{port: {port}, admin_port: {admin}}}\n"
            f"upstreams:\n- {{name: u, url: 'http://{host}:{inner}'}}\n"
            "models:\n- {name: small, upstreams: [u], upstream_name: inner}\n"
            f"projects:\n- name: p\n  keys:\n  {entry}\n"
        )
        command = [sys.executable, "-m", "mizzen_gateway", "--config", "gateway.yaml"]
        client = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=key, max_retries=0)
        for _ in range(2):
            with (tmp_path / "log").open("ab") as log:
                gateway = subprocess.Popen(command, cwd=tmp_path, env=ENVIRONMENT, stdout=log, stderr=log)
            try:
                wait_for_http(f"http://127.0.0.1:{admin}/readyz", gateway)
                assert say_hello(client)
                stream = client.chat.completions.create(
                    model="small", messages=[{"role": "user", "content": "hi"}], max_tokens=200, stream=True
                )
                assert next(iter(stream)).choices
            finally:
                gateway.kill()
                gateway.wait()
        with (tmp_path / "log").open("ab") as log:
            gateway = subprocess.Popen(command, cwd=tmp_path, env=ENVIRONMENT, stdout=log, stderr=log)
        wait_for_http(f"http://127.0.0.1:{admin}/readyz", gateway)
        gateway.terminate()
        assert gateway.wait(60) == 0
    rows = list(csv.DictReader(io.StringIO(mizzen(tmp_path, "usage").stdout)))
    assert len({row["request_id"] for row in rows}) == len(rows) == 4
    assert Counter(row["interrupted"] for row in rows) == {"false": 2, "true": 2}


def test_workers_share_the_limits_of_the_file_and_its_ledger(tmp_path: Path) -> None:
    port, admin = free_port(), free_port()
    line = mizzen(tmp_path, "key", "laptop")
    key, entry = line.stdout.strip(), line.stderr.splitlines()[-1].strip()
    with running_valkey() as store, simulated_engine("inner", "--decode-ms", "1") as (host, inner):
        text = (
            f"listen: {{port: {port}, admin_port: {admin}, workers: 2}}\n"
            "limits_store: {url: 'redis://127.0.0.1:%d', password: {env: STORE_PASSWORD}}\n"
            % store.port
            + f"upstreams:\n- {{name: u, url: 'http://{host}:{inner}'}}\n"
            "models:\n- {name: small, upstreams: [u], upstream_name: inner}\n"
            "limits:\n- {name: all, metric: requests, amount: 7, per: day}\n"
            f"projects:\n- name: p\n  keys:\n  {entry}\n"
        )
        file = tmp_path / "gateway.yaml"
        file.write_text(text)
        environment = {**ENVIRONMENT, "STORE_PASSWORD": PASSWORD}
        with (tmp_path / "log").open("wb") as log:
            command = [sys.executable, "-m", "mizzen_gateway", "--config", str(file)]
            gateway = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)
        try:
            wait_for_http(f"http://127.0.0.1:{admin}/readyz", gateway)
            url = f"http://127.0.0.1:{port}/v1/chat/completions"
            statuses = asyncio.run(calls(url, key, 40))
            assert Counter(statuses) == {200: 7, 429: 33}
            file.write_text(text.replace("amount: 7", "amount: 9"))
            gateway.send_signal(signal.SIGHUP)
            wait_for_line(tmp_path / "log", "fresh workers serve")
            statuses = asyncio.run(calls(url, key, 20))
            assert Counter(statuses) == {200: 2, 429: 18}, "what was counted before the change stays counted"
        finally:
            gateway.terminate()
            assert gateway.wait(60) == 0
    rows = list(csv.DictReader(io.StringIO(mizzen(tmp_path, "usage").stdout)))
    assert len({row["request_id"] for row in rows}) == len(rows) == 9, "both workers' rows are in the one ledger"


async def calls(url: str, key: str, count: int) -> list[int]:
    """Statuses of so many at once."""
    return await asyncio.gather(*(one_call(url, key) for _ in range(count)))


async def one_call(url: str, key: str) -> int:
    """Over a connection of its own, so that both workers get some."""
    body = {"model": "small", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 2}
    headers = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(headers=headers) as session, session.post(url, json=body) as answer:
        return answer.status
