"""How tests import a version, and wait for its end."""

import asyncio
from typing import Any

import httpx

UNDER_WAY = ("QUEUED", "RUNNING")


async def begun(admin: httpx.AsyncClient, project: str, source: str, **fields: object) -> httpx.Response:
    await admin.post(f"/api/v1/projects/{project}/models", json={"name": "m"})
    return await admin.post(f"/api/v1/projects/{project}/models/m/versions:import", json={"source": source, **fields})


async def ended(admin: httpx.AsyncClient, project: str, answer: httpx.Response) -> dict[str, Any]:
    """The operation at its end."""
    assert answer.status_code == 202, answer.text
    path = f"/api/v1/projects/{project}/operations/{answer.json()['id']}"
    async with asyncio.timeout(60):
        seen = answer.json()
        while seen["state"] in UNDER_WAY and not seen["reason"]:
            seen = (await admin.get(path)).json()
            await asyncio.sleep(0.05)
    return dict(seen)


async def imported(admin: httpx.AsyncClient, project: str, source: str, **fields: object) -> dict[str, Any]:
    return await ended(admin, project, await begun(admin, project, source, **fields))
