"""A database that is away, silent, slow, full of callers or takes no writes is told as such: nothing is half done, and
all goes on by itself when it is back."""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import asyncpg
import httpx
import pytest
from sqlalchemy.engine import make_url
from support.controlplane import ControlPlane
from support.faulty_address import FaultyAddress, faulty_address
from support.until import until

REFUSED_WITHIN = 25.0
"""Seconds, of a promise of about 10 with a database that says nothing."""


@dataclass
class Faulty:
    """A control plane, the way to its database, and that database itself, as a superuser."""

    plane: ControlPlane
    address: FaultyAddress
    server: str
    user: str

    def ask(self, *statements: str) -> None:
        """Of the database, past the fault."""

        async def run() -> None:
            connection = await asyncpg.connect(self.server)
            try:
                await connection.execute("SET default_transaction_read_only = off")
                for statement in statements:
                    await connection.execute(statement)
            finally:
                await connection.close()

        asyncio.run(run())

    def end_others(self) -> str:
        """Statement that ends all connections of the control plane."""
        return f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{self.user}'"


@pytest.fixture(scope="module")
def faulty(new_controlplane: Callable[[str], ControlPlane]) -> Iterator[Faulty]:
    """One for all of these; its role is no superuser, so that limits of connections hold for it."""
    plane = new_controlplane("postgresql")
    url = make_url(plane.database_url)
    assert url.port is not None
    user = f"u_{secrets.token_hex(4)}"
    with ExitStack() as stack:
        address = stack.enter_context(faulty_address(url.port))
        server = url.set(drivername="postgresql").render_as_string(hide_password=False)
        faulty = Faulty(plane, address, server, user)
        faulty.ask(
            f"CREATE ROLE {user} LOGIN PASSWORD '{url.password}'", f'ALTER DATABASE "{url.database}" OWNER TO {user}'
        )
        plane.database_url = url.set(username=user, port=address.port).render_as_string(hide_password=False)
        stack.callback(plane.stop)
        plane.start()
        yield faulty


def wait(condition: Callable[[], object]) -> None:
    """Until it holds."""
    asyncio.run(until(condition, every=0.05))


def refusal(client: httpx.Client, project: str) -> httpx.Response:
    """What a write answers, within the time that is promised; probes say what they must."""
    began = time.monotonic()
    refused = client.post(f"/api/v1/projects/{project}/keys", json={"name": "k"})
    assert time.monotonic() - began < REFUSED_WITHIN
    assert refused.status_code == 503, refused.text
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert int(refused.headers["Retry-After"]) > 0
    assert client.get("/healthz").status_code == 200
    return refused


def goes_on(faulty: Faulty, client: httpx.Client, project: str) -> None:
    """It writes again, what was refused is not there, and the audit trail is whole."""
    wait(lambda: client.get("/readyz").status_code == 200)
    assert client.get(f"/api/v1/projects/{project}/keys").json()["items"] == []
    made = client.post(f"/api/v1/projects/{project}/keys", json={"name": "k"})
    assert made.status_code == 201, made.text
    assert client.get("/api/v1/audit-events:verify").json()["whole"]


@pytest.mark.parametrize("how", ["away", "silent"])
def test_a_database_that_does_not_answer_is_told_soon_and_all_goes_on_when_it_is_back(faulty: Faulty, how: str) -> None:
    project = faulty.plane.new_project()
    with faulty.plane.client() as admin, faulty.plane.client("gateway") as gateway:
        faulty.address.set(away=how == "away", silent=how == "silent")
        said = refusal(admin, project).json()
        assert said["code"] == "database_unavailable"
        assert "MIZZEN_DATABASE_URL" in said["detail"]
        if how == "away":  # silence would be waited for a second time
            assert admin.get("/readyz").status_code == 503
        faulty.address.set()
        goes_on(faulty, admin, project)
        with gateway.stream("GET", "/internal/v1/access/watch", params={"after": 0}) as feed:
            assert "SNAPSHOT" in next(feed.iter_lines())


def test_what_runs_in_the_background_outlives_a_database_that_is_away(faulty: Faulty) -> None:
    """Access gets a version when prices come into force: the loop that does it looks at least every 5 seconds."""
    warning, before = "access boundaries wait for the database", len(faulty.plane.log)
    faulty.address.set(away=True)
    wait(lambda: faulty.plane.log[before:].count(warning) > 1)
    faulty.address.set()
    assert "Task exception was never retrieved" not in faulty.plane.log


def test_a_slow_database_makes_answers_late_and_nothing_else(faulty: Faulty) -> None:
    project = faulty.plane.new_project()
    with faulty.plane.client() as admin:
        faulty.address.set(delay=0.1)
        made = admin.post(f"/api/v1/projects/{project}/keys", json={"name": "k"})
        faulty.address.set()
        assert made.status_code == 201, made.text


def test_a_database_without_a_connection_left_says_what_to_raise(faulty: Faulty) -> None:
    project = faulty.plane.new_project()
    with faulty.plane.client() as admin:
        faulty.ask(f"ALTER ROLE {faulty.user} CONNECTION LIMIT 0", faulty.end_others())
        said = refusal(admin, project).json()
        assert said["code"] == "database_out_of_connections"
        assert "max_connections" in said["detail"]
        assert admin.get("/readyz").status_code == 503
        faulty.ask(f"ALTER ROLE {faulty.user} CONNECTION LIMIT -1")
        goes_on(faulty, admin, project)


def test_a_read_only_database_answers_reads_and_refuses_writes_until_it_is_back(faulty: Faulty) -> None:
    project = faulty.plane.new_project()
    set_to = f"ALTER ROLE {faulty.user} SET default_transaction_read_only ="
    with faulty.plane.client() as admin:
        faulty.ask(f"{set_to} on", faulty.end_others())
        assert refusal(admin, project).json()["code"] == "database_read_only"
        assert admin.get(f"/api/v1/projects/{project}/keys").json()["items"] == []
        faulty.ask(f"{set_to} off", faulty.end_others())
        goes_on(faulty, admin, project)
