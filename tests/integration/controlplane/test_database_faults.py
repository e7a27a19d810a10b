"""A database that takes no writes is told as such: reading goes on, nothing is half done, and it mends by itself."""

import asyncio
from collections.abc import Callable

import asyncpg
from support.controlplane import ControlPlane


def ask_server(url: str, *statements: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        try:
            await connection.execute("SET default_transaction_read_only = off")
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(run())


def test_a_read_only_database_answers_reads_and_refuses_writes_until_it_is_back(
    new_controlplane: Callable[[str], ControlPlane],
) -> None:
    plane = new_controlplane("postgresql")
    name = plane.database_url.split("/")[-1].split("?")[0]
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
    try:
        with plane, plane.client() as admin:
            project = plane.new_project()
            set_to = f'ALTER DATABASE "{name}" SET default_transaction_read_only ='
            ask_server(plane.database_url, f"{set_to} on", others + "pg_backend_pid()")
            refused = admin.post(f"/api/v1/projects/{project}/keys", json={"name": "k"})
            assert (refused.status_code, refused.json()["code"]) == (503, "database_read_only"), refused.text
            assert int(refused.headers["Retry-After"]) > 0
            assert admin.get(f"/api/v1/projects/{project}/keys").json()["items"] == []
            ask_server(plane.database_url, f"{set_to} off", others + "pg_backend_pid()")
            assert admin.post(f"/api/v1/projects/{project}/keys", json={"name": "k"}).status_code == 201
            assert admin.get("/api/v1/audit-events:verify").json()["whole"]
    finally:
        plane.stop()
