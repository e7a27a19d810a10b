"""An engine that tells more tokens than can be, or prices that make more of them than a row holds: there is a row."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest
from support.gateway import endpoint_set, make_key, make_snapshot, model_deployment, running_gateway
from support.scripted_engine import Exchange, completion, scripted_engine
from support.until import until

KEY = make_key()
ASK = {"model": "chat", "messages": [{"role": "user", "content": "hello"}]}


async def asked(folder: Path, tokens: int, price: int) -> dict[str, Any]:
    """The row of a request that is said to have had so many."""

    async def tells(exchange: Exchange) -> None:
        told = completion("chat")
        told["usage"] = {"prompt_tokens": tokens, "completion_tokens": 1, "total_tokens": tokens + 1}
        await exchange.send_json(told)

    async with scripted_engine(tells) as engine:
        objects = [model_deployment("chat"), endpoint_set("chat", engine.address)]
        prices = [{"rate_card_id": "rcv_a", "model": "*", "pico_per_input_token": price}]
        async with (
            running_gateway(folder, make_snapshot([KEY], prices=prices), *objects) as running,
            aiohttp.ClientSession(headers=KEY.headers) as session,
        ):
            async with session.post(running.url + "/v1/chat/completions", json=ASK) as answer:
                assert answer.status == 200
            await until(running.rows)
            (row,) = running.rows()
            return row


@pytest.mark.parametrize("tokens", [10**10, 10**14, 2**63])
async def test_more_tokens_than_can_be_are_estimated_instead(tmp_path: Path, tokens: int) -> None:
    row = await asked(tmp_path, tokens, 1_000_000)
    assert row["estimated"] is True
    assert row["input_tokens"] < 1000


async def test_a_cost_that_no_row_can_hold_is_the_most_that_it_can(tmp_path: Path) -> None:
    row = await asked(tmp_path, 10**9, 10**11)
    assert (row["input_tokens"], row["cost_pico"]) == (10**9, 2**63 - 1)
