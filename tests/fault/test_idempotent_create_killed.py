"""A control plane that dies while it answers POSTs: repeated with their keys, nothing is lost and nothing is twice."""

import random
import threading
from pathlib import Path

import httpx
from support.controlplane import ControlPlane

ROUNDS = 3
CREATES = 80
KEYS = "/api/v1/projects/default/keys"


def create(admin: httpx.Client, name: str) -> httpx.Response:
    return admin.post(KEYS, json={"name": f"k-{name}", "labels": {"sent": name}}, headers={"Idempotency-Key": name})


def create_until_the_kill(plane: ControlPlane, names: list[str], seconds: float) -> None:
    kill = threading.Timer(seconds, plane.kill)
    kill.start()
    with plane.client() as admin:
        for name in names:
            try:
                create(admin, name)
            except httpx.TransportError:
                break
    kill.join()


def test_creates_that_are_killed_and_repeated_happen_once_each(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    source = random.Random(seed)
    plane = ControlPlane(tmp_path, f"sqlite+aiosqlite:///{tmp_path / 'controlplane.db'}").start()
    try:
        for round_number in range(ROUNDS):
            names = [f"r{round_number}-{number}" for number in range(CREATES)]
            create_until_the_kill(plane, names, source.uniform(0.05, 0.5))
            plane.start()
            with plane.client() as admin:
                outcomes = [create(admin, name) for name in names]
                found = admin.get(KEYS, params={"filter": f"name : k-r{round_number}-", "page_size": 500}).json()[
                    "items"
                ]
                whole = admin.get("/api/v1/audit-events:verify").json()
            assert all(a.status_code == 201 or a.json()["code"] == "idempotency_answer_lost" for a in outcomes)
            assert sorted(key["labels"]["sent"] for key in found) == sorted(names)
            assert whole["whole"], whole
    finally:
        plane.stop()
