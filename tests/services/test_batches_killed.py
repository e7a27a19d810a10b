"""A gateway is killed in the middle of a batch: what was kept is not sent again, and every line is answered."""

import asyncio
import json
import signal
from pathlib import Path

import httpx
import openai
from support.controlplane import ControlPlane, sqlite_controlplane
from support.scripted_engine import Exchange, completion, scripted_engine
from support.serving import Serving
from support.until import until

CHAT = "/v1/chat/completions"
LINES = 60


async def slowly(exchange: Exchange) -> None:
    await asyncio.sleep(0.05)
    await exchange.send_json(completion("chat"))


def open_lines(plane: ControlPlane, batch: str) -> set[str]:
    """Ids of the lines that have no result."""
    with plane.client("gateway") as gateway:
        found = gateway.get(f"/internal/v1/batches/{batch}/lines").json()
    return {json.loads(line["text"])["custom_id"] for line in found["lines"]}


def ended(secret: str, serving: Serving, batch: str) -> bool:
    headers = {"Authorization": f"Bearer {secret}"}
    found = httpx.get(f"{serving.url}/v1/batches/{batch}", headers=headers, trust_env=False)
    return bool(found.json()["status"] == "completed")


def requests() -> bytes:
    return b"".join(
        json.dumps(
            {
                "custom_id": f"q{number}",
                "method": "POST",
                "url": CHAT,
                "body": {"model": "chat", "messages": [{"role": "user", "content": f"q{number}"}]},
            }
        ).encode()
        + b"\n"
        for number in range(LINES)
    )


async def test_a_batch_outlives_kills_of_its_gateway(tmp_path: Path) -> None:
    with sqlite_controlplane(tmp_path / "plane") as plane:
        serving = Serving(plane, tmp_path)
        async with scripted_engine(slowly) as engine:

            def asked() -> list[str]:
                return [one.document["messages"][0]["content"] for one in engine.exchanges]

            serving.serve("chat", engine.address)
            secret = serving.new_key()
            await serving.start()
            client = openai.AsyncOpenAI(base_url=serving.url + "/v1", api_key=secret, max_retries=8)
            try:
                file = await client.files.create(file=("requests.jsonl", requests()), purpose="batch")
                batch = await client.batches.create(input_file_id=file.id, endpoint=CHAT, completion_window="24h")
                for part in (0.25, 0.6):
                    await until(lambda part=part: len(set(asked())) > LINES * part, 60)  # type: ignore[misc]  # bound at once
                    serving.end(signal.SIGKILL)
                    kept = {f"q{number}" for number in range(LINES)} - open_lines(plane, batch.id)
                    assert kept
                    before = len(asked())
                    await serving.start()
                    await until(lambda before=before: len(asked()) > before, 60)  # type: ignore[misc]  # the same
                    assert not kept & set(asked()[before:])
                await until(lambda: not open_lines(plane, batch.id), 120)
                await until(lambda: ended(secret, serving, batch.id), 30)
                output = (await client.batches.retrieve(batch.id)).output_file_id
                assert output is not None
                answers = (await client.files.content(output)).text.splitlines()
                assert [json.loads(one)["custom_id"] for one in answers] == [f"q{number}" for number in range(LINES)]
                print(f"{len(asked()) - LINES} of {LINES} lines were sent twice over 2 kills")
                await until(lambda: len([row for row in serving.rows() if row["answered"]]) >= LINES, 30)
            finally:
                await client.close()
                serving.end()
