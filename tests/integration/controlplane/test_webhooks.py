"""Webhooks: signed, delivered at least once, given up in the end, and never to where they must not go."""

import base64
import hmac
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from email import message_from_bytes
from typing import Any

import httpx
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import unit_of_work
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.webhooks.delivering import HOLD, MOST_ATTEMPTS, take
from mizzen_controlplane.webhooks.models import Delivery
from support.controlplane import ControlPlane
from support.plane_in_process import plane_of_process
from support.webhook_receiver import Received, Receiver, webhook_receiver

ABOUT_TO_BE_TRIED = 60
"""Seconds within which a delivery that is due must have been tried."""
REMEDY = "An administrator may trust 127.0.0.1, or its network, in MIZZEN_EGRESS_TRUSTED."


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with webhook_receiver() as made:
        yield made


@pytest.fixture
async def plane(controlplane: ControlPlane) -> AsyncIterator[Plane]:
    async with plane_of_process(controlplane) as made:
        yield made


class Hooks:
    """A project's webhooks, for one administrator."""

    def __init__(self, admin: httpx.Client, project: str) -> None:
        self.admin, self.path = admin, f"/api/v1/projects/{project}/webhooks"

    def make(self, url: str, name: str = "ops", **fields: Any) -> dict[str, Any]:
        made = self.admin.post(self.path, json={"name": name, "url": url, **fields})
        assert made.status_code == 201, made.text
        return dict(made.json())

    def test(self, name: str = "ops") -> str:
        sent = self.admin.post(f"{self.path}/{name}:test")
        assert sent.status_code == 202, sent.text
        return str(sent.json()["id"])

    def try_now(self) -> None:
        """Have it looked whether something is due; whoever is switched on is served at once."""
        assert self.admin.patch(f"{self.path}/ops", json={"enabled": True}).status_code == 200

    def dead(self) -> list[str]:
        found = self.admin.get(f"{self.path}/ops/deliveries", params={"filter": "state=DEAD"}).json()["items"]
        return [one["id"] for one in found]

    def redeliver(self, delivery: str) -> str:
        return str(self.admin.post(f"{self.path}/ops/deliveries/{delivery}:redeliver").json()["id"])

    def delivery(self, delivery: str, name: str = "ops") -> dict[str, Any]:
        found = self.admin.get(f"{self.path}/{name}/deliveries", params={"filter": f"id={delivery}"}).json()["items"]
        return dict(found[0])

    def wait_until(self, delivery: str, name: str = "ops", **wanted: Any) -> dict[str, Any]:
        deadline = time.monotonic() + ABOUT_TO_BE_TRIED
        while True:
            found = self.delivery(delivery, name)
            if all(found[key] == value for key, value in wanted.items()):
                return found
            assert time.monotonic() < deadline, found
            time.sleep(0.05)


@pytest.fixture
def hooks(admin: httpx.Client, project: str) -> Hooks:
    return Hooks(admin, project)


def is_ours(secret: str, received: Received) -> bool:
    """As docs/how-to/webhooks.md has it."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{received.headers['webhook-id']}.{received.headers['webhook-timestamp']}.".encode() + received.body
    ours = "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    return any(hmac.compare_digest(ours, one) for one in received.headers["webhook-signature"].split())


async def change(plane: Plane, delivery: str, **fields: Any) -> None:
    async with unit_of_work(plane.database) as session:
        row = await session.get_one(Delivery, delivery)
        for name, value in fields.items():
            setattr(row, name, value)


def test_a_test_event_arrives_signed_as_a_cloud_event(hooks: Hooks, receiver: Receiver, project: str) -> None:
    made = hooks.make(receiver.url)
    sent = hooks.test()
    [received] = receiver.wait_for(1)
    assert is_ours(made["secret"], received)
    assert not is_ours("whsec_" + base64.b64encode(bytes(32)).decode(), received)
    assert received.headers["content-type"] == "application/cloudevents+json"
    event = received.event
    assert (event["specversion"], event["type"], event["source"], event["subject"]) == (
        "1.0", "dev.mizzen.webhook.test", f"/projects/{project}", made["id"],
    )  # fmt: skip
    assert event["id"] == received.headers["webhook-id"]
    assert hooks.wait_until(sent, state="DELIVERED")["last_status"] == 204


def test_the_secret_is_shown_once_and_both_sign_after_a_rotation(
    admin: httpx.Client, hooks: Hooks, receiver: Receiver
) -> None:
    old = hooks.make(receiver.url)
    assert "secret" not in admin.get(f"{hooks.path}/ops").json()
    new = admin.post(f"{hooks.path}/ops:rotateSecret").json()
    assert new["secret"] != old["secret"]
    hooks.test()
    [received] = receiver.wait_for(1)
    assert is_ours(new["secret"], received)
    assert is_ours(old["secret"], received)
    events = admin.get("/api/v1/audit-events", params={"filter": f'resource="{old["id"]}"'})
    assert {event["action"] for event in events.json()["items"]} >= {"webhooks.create", "webhooks.rotate_secret"}
    assert old["secret"] not in events.text
    assert new["secret"] not in events.text


async def test_what_is_refused_is_tried_again_later_with_the_same_id(hooks: Hooks, project: str, plane: Plane) -> None:
    with webhook_receiver([500, 302]) as receiver:
        hooks.make(receiver.url)
        sent = hooks.test()
        waits = hooks.wait_until(sent, attempts=1, last_status=500)
        assert waits["state"] == "PENDING"
        assert waits["next_attempt_at"] > utc_now().isoformat()
        await change(plane, sent, not_before=utc_now())
        hooks.try_now()
        assert "redirects are not followed" in hooks.wait_until(sent, attempts=2, last_status=302)["last_error"]
        await change(plane, sent, not_before=utc_now())
        hooks.try_now()
        assert hooks.wait_until(sent, state="DELIVERED")["attempts"] == 3
        assert len({one.headers["webhook-id"] for one in receiver.wait_for(3)}) == 1
        assert {one.path for one in receiver.requests} == {"/events"}


async def test_a_delivery_that_its_sender_never_ended_is_sent_by_another(
    hooks: Hooks, receiver: Receiver, plane: Plane
) -> None:
    # Whoever takes it is killed before it sends: what is left is the lease, and a moment later its end.
    hooks.make(receiver.url, enabled=False)
    async with unit_of_work(plane.database) as session:
        row = Delivery(
            id="dlv_killed_" + hooks.path[-30:-9], webhook_id=hooks.admin.get(f"{hooks.path}/ops").json()["id"],
            event_id="evt_1", event_type="webhook.test", subject="x", body='{"id": "evt_1"}', state="PENDING",
            holder="wrk_dead", held_until=utc_now() + HOLD, attempts=1,
        )  # fmt: skip
        session.add(row)
    hooks.try_now()
    assert await take(plane.database, "wrk_other", utc_now()) is None
    assert receiver.requests == []
    await change(plane, row.id, held_until=utc_now() - timedelta(seconds=1))
    hooks.try_now()
    assert receiver.wait_for(1)[0].event["id"] == "evt_1"
    assert hooks.wait_until(row.id, state="DELIVERED")["attempts"] == 2


async def test_what_is_given_up_is_a_dead_letter_and_can_be_sent_again(hooks: Hooks, plane: Plane) -> None:
    with webhook_receiver([500, 500]) as receiver:
        hooks.make(receiver.url)
        sent = hooks.test()
        hooks.wait_until(sent, attempts=1, last_status=500)
        await change(plane, sent, attempts=MOST_ATTEMPTS - 1, not_before=utc_now())
        hooks.try_now()
        hooks.wait_until(sent, state="DEAD")
        assert hooks.dead() == [sent]
        again = hooks.redeliver(sent)
        hooks.wait_until(again, state="DELIVERED")
        assert len({one.headers["webhook-id"] for one in receiver.wait_for(3)}) == 1


def test_410_ends_it_at_once(hooks: Hooks) -> None:
    with webhook_receiver([410]) as receiver:
        hooks.make(receiver.url)
        assert hooks.wait_until(hooks.test(), state="DEAD")["attempts"] == 1


def test_an_event_comes_as_a_letter_where_the_url_is_an_address(hooks: Hooks, smtp_port: int) -> None:
    letters: list[Any] = []

    class Mailbox(Message):
        def handle_message(self, message: Any) -> None:
            letters.append(message_from_bytes(message.as_bytes()))

    made = hooks.make("mailto:owner@example.com")
    assert made["secret"] == ""
    server = Controller(Mailbox(), hostname="127.0.0.1", port=smtp_port)
    server.start()
    try:
        hooks.wait_until(hooks.test(), state="DELIVERED")
    finally:
        server.stop()
    [letter] = letters
    assert (letter["To"], letter["From"]) == ("owner@example.com", "mizzen@example.com")
    assert "webhook.test" in letter["Subject"]
    assert "dev.mizzen.webhook.test" in letter.get_payload()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://hooks.example.com/", "only https"),
        ("https://hooks.example.com:8443/", "only port 443"),
        ("https://user:password@hooks.example.com/", "without user"),
        ("https://0x7f000001/", "neither a name nor an address"),
        ("ftp://hooks.example.com/", "must be https"),
        ("https://", "must be https"),
        ("mailto:a@b.example,c@d.example", "one address"),
        ("mailto:nobody", "one address"),
    ],
)
def test_a_url_that_must_not_be_reached_is_refused_by_its_field(hooks: Hooks, url: str, said: str) -> None:
    answer = hooks.admin.post(hooks.path, json={"name": "ops", "url": url})
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == "/url"
    assert said in answer.json()["detail"]


def test_a_name_that_leads_to_a_private_address_is_refused_when_it_is_sent(hooks: Hooks) -> None:
    hooks.make("https://127.0.0.1/")
    why = "127.0.0.1 leads to 127.0.0.1, which is not a public address, so nothing is fetched from it. "
    hooks.wait_until(hooks.test(), last_error=why + REMEDY, last_status=0)


def test_an_event_that_is_never_announced_is_refused(hooks: Hooks) -> None:
    answer = hooks.admin.post(
        hooks.path, json={"name": "ops", "url": "https://example.com/", "event_types": ["budgets.*"]}
    )
    assert answer.json()["errors"][0]["pointer"] == "/event_types"
    assert "budget.threshold" in answer.json()["detail"]


def test_another_projects_webhook_is_not_there(admin: httpx.Client, hooks: Hooks, controlplane: ControlPlane) -> None:
    made = hooks.make("https://hooks.example.com/")
    foreign = f"/api/v1/projects/{controlplane.new_project()}/webhooks/{made['id']}"
    for answer in (
        admin.get(foreign),
        admin.delete(foreign),
        admin.post(foreign + ":test"),
        admin.get(f"/api/v1/webhooks/{made['id']}"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "webhook_not_found")
    assert admin.delete(f"{hooks.path}/ops").status_code == 204
