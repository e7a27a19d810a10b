"""Nothing of what callers ask, engines answer or keys say is in any log, metric or file of a gateway."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
from support.free_ports import free_port
from support.gateway import endpoint_set, gateway_process, make_key, make_snapshot, model_deployment
from support.scripted_engine import Exchange, scripted_engine
from support.until import until

KEY = make_key()
PROMPT, ANSWER, SECRET = "canary-of-a-prompt", "canary-of-an-answer", KEY.text.rpartition("_")[2]
CHAT = "/v1/chat/completions"


async def tells_all(exchange: Exchange) -> None:
    """By turns: answers, streams, fails with its caller's words, breaks off."""
    way = json.loads(exchange.body).get("user", "")
    said = {"role": "assistant", "content": ANSWER}
    if way == "stream":
        await exchange.start_events()
        await exchange.event({"id": "c", "choices": [{"index": 0, "delta": said}]})
        await exchange.end_events()
    elif way == "error":
        await exchange.send_json({"error": {"message": f"{PROMPT} {ANSWER}"}}, 500)
    elif way == "refuse":
        await exchange.send_json({"error": {"message": f"{PROMPT} {ANSWER}"}}, 400)
    elif way == "nonsense":
        await exchange.send(200, ANSWER.encode(), content_type="application/json")
    elif way == "cut":
        exchange.writer.write(b"HTTP/1.1 200 OK\r\nx-canary: " + ANSWER.encode())
        exchange.cut()
    else:
        await exchange.send_json({"id": "c", "model": "chat", "choices": [{"index": 0, "message": said}]})


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def ask_everything(url: str) -> list[int]:
    """All ways to get an answer or a refusal; their statuses."""
    message = {"role": "user", "content": PROMPT}
    good: dict[str, object] = {"model": "chat", "messages": [message]}
    bodies: list[dict[str, object]] = [
        *({**good, "user": way} for way in ("", "error", "refuse", "nonsense")),
        {**good, "user": "stream", "stream": True},
        {**good, "temperature": PROMPT},
        {**good, "tools": PROMPT},
        {**good, "prompt_embeds": PROMPT},
        {"model": "chat", "messages": PROMPT},
        {"model": "chat", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": PROMPT}]}]},
    ]
    with httpx.Client(base_url=url, headers=KEY.headers, trust_env=False) as client:
        found = [client.post(CHAT, json=body).status_code for body in bodies]
        found.append(client.post(CHAT, content=b'{"model": "chat", "messages": [' + PROMPT.encode()).status_code)
        found.append(client.post(f"{CHAT}?q={PROMPT}", json=good, headers={"X-Note": PROMPT}).status_code)
        found.append(client.post(CHAT, json=good, headers={"Authorization": f"Bearer {KEY.text}x"}).status_code)
        found.append(client.post(CHAT, json={**good, "user": "cut"}).status_code)
        found.append(client.post("/v2/models/chat/infer", json={"inputs": [{"name": PROMPT}]}).status_code)
    return found


async def test_no_log_metric_or_file_says_what_was_asked_or_answered(tmp_path: Path) -> None:
    admin = free_port()
    settings: dict[str, Any] = {
        "MIZZEN_ACCESS_LOG": "all",
        "MIZZEN_LOG_LEVEL": "DEBUG",
        "MIZZEN_ADMIN_PORT": str(admin),
    }
    async with scripted_engine(tells_all) as engine:
        documents = model_deployment("chat"), endpoint_set("chat", engine.address)
        with gateway_process(tmp_path, make_snapshot([KEY]), *documents, **settings) as url:
            statuses = await asyncio.to_thread(ask_everything, url)
            metrics = await asyncio.to_thread(httpx.get, f"http://127.0.0.1:{admin}/metrics", trust_env=False)
            log = tmp_path / "log"
            await until(lambda: log.read_text().count('"request_id"') >= 7, 10)
    assert {200, 400, 401, 502} <= set(statuses), statuses
    files = files_below(tmp_path)
    assert log in files
    assert any(path.suffix == ".spool" and path.stat().st_size for path in files)
    for said in (PROMPT, ANSWER, SECRET):
        assert said not in metrics.text
        assert [str(path) for path in files if said.encode() in path.read_bytes()] == []
