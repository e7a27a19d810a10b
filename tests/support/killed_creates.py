"""POSTs to a control plane that is killed while it answers them, each repeated with its key afterwards."""

import random
import threading
from pathlib import Path

import httpx
from support.controlplane import ControlPlane

CREATES = 60
KEYS = "/api/v1/projects/default/keys"
ANSWER_LOST = "idempotency_answer_lost"


def mistakes_after_kills(folder: Path, rounds: int) -> list[str]:
    """What is not there once, in sentences, after a kill a round at a moment by chance; prints its seed."""
    mistakes = list[str]()
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    source = random.Random(seed)
    plane = ControlPlane(folder, f"sqlite+aiosqlite:///{folder / 'controlplane.db'}").start()
    try:
        for round_number in range(rounds):
            names = [f"r{round_number}-{number}" for number in range(CREATES)]
            _create_until_the_kill(plane, names, source.uniform(0.05, 0.4))
            plane.start()
            with plane.client() as admin:
                outcomes = [_create(admin, name) for name in names]
                asked = {"filter": f"name : k-r{round_number}-", "page_size": 500}
                found = admin.get(KEYS, params=asked).json()["items"]
                whole = admin.get("/api/v1/audit-events:verify").json()
            mistakes += [a.text for a in outcomes if a.status_code != 201 and a.json()["code"] != ANSWER_LOST]
            if sorted(key["labels"]["sent"] for key in found) != sorted(names):
                mistakes.append(f"of {names} there are {found}")
            if not whole["whole"]:
                mistakes.append(f"the audit trail is not whole: {whole}")
    finally:
        plane.stop()
    return mistakes


def _create(admin: httpx.Client, name: str) -> httpx.Response:
    return admin.post(KEYS, json={"name": f"k-{name}", "labels": {"sent": name}}, headers={"Idempotency-Key": name})


def _create_until_the_kill(plane: ControlPlane, names: list[str], seconds: float) -> None:
    kill = threading.Timer(seconds, plane.kill)
    kill.start()
    with plane.client() as admin:
        for name in names:
            try:
                _create(admin, name)
            except httpx.TransportError:
                break
    kill.join()
