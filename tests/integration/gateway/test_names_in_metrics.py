"""A scrape of a gateway that has more limits than are told apart."""

from pathlib import Path

import aiohttp
import pytest
from mizzen_gateway.telemetry import exposition
from support.gateway import make_key, make_snapshot, running_gateway


async def test_limits_beyond_the_bound_have_one_series_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exposition, "MOST_NAMES", 3)
    async with running_gateway(tmp_path, make_snapshot([make_key()])) as running, aiohttp.ClientSession() as session:
        for number in range(10):
            running.gateway.accounting.quota.refused_by["limit", f"name {number}", "enforce"] += 1
        async with session.get(running.admin_url + "/metrics") as answer:
            lines = (await answer.text()).splitlines()
    found = [line for line in lines if line.startswith("mizzen_gateway_over_limit_total{")]
    assert len(found) == 4
    assert 'name="other"' in found[-1]
    assert found[-1].endswith(" 7.0")
