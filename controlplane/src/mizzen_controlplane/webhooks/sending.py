"""How does one attempt go out? A POST through the egress proxy, or a letter; the answer says whether it was taken."""

from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import aiohttp

from mizzen_controlplane.egress.proxy import EgressProxy
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.webhooks.event_types import PREFIX
from mizzen_controlplane.webhooks.mailing import MAIL, mail
from mizzen_controlplane.webhooks.models import Delivery, Webhook
from mizzen_controlplane.webhooks.signing import secret_bytes, signed_headers

PATIENCE: Final = 15.0
"""Seconds that a receiver has to answer."""
MOST_BYTES: Final = 64 * 1024
"""Of an answer, which nobody reads."""
GONE: Final = 410


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an attempt."""

    status: int = 0
    error: str = ""
    """Empty where the event was taken."""
    final: bool = False
    """Another attempt would be of no use."""


class Sender:
    """Sends through one proxy. Cookies are not kept, redirects not followed, the environment's proxies not asked."""

    def __init__(self, proxy: EgressProxy) -> None:
        self._proxy = proxy
        self._client: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=PATIENCE)
        self._client = aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        assert self._client is not None
        await self._client.close()

    async def send(self, plane: Plane, webhook: Webhook, delivery: Delivery) -> Answer:
        """One attempt."""
        if webhook.url.startswith(MAIL):
            return Answer(error=await mail(plane.settings.smtp, webhook.url.removeprefix(MAIL), delivery))
        assert self._client is not None
        body = delivery.body.encode()
        with self._proxy.way_out(delivery.id, most_bytes=MOST_BYTES, seconds=PATIENCE) as way:
            try:
                async with self._client.post(
                    webhook.url, data=body, headers=_headers(plane, webhook, delivery, body), proxy=way.proxy_url,
                    allow_redirects=False,
                ) as response:  # fmt: skip
                    return _judged(response.status, way.last_refusal)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                return Answer(error=way.last_refusal or _told(error))


def _headers(plane: Plane, webhook: Webhook, delivery: Delivery, body: bytes) -> dict[str, str]:
    now = utc_now()
    salts = [webhook.secret_salt]
    if webhook.previous_until is not None and webhook.previous_until > now:
        salts.append(webhook.previous_salt)
    secrets = [secret_bytes(plane.secrets.pepper, webhook.id, salt) for salt in salts]
    return {
        "content-type": "application/cloudevents+json",
        "user-agent": "mizzen-webhooks/1",
        "mizzen-event": PREFIX + delivery.event_type,
        **signed_headers(secrets, delivery.event_id, now, body),
    }


def _judged(status: int, refusal: str) -> Answer:
    if refusal:
        return Answer(status=0, error=refusal)
    if 200 <= status < 300:
        return Answer(status=status)
    if 300 <= status < 400:
        return Answer(status, f"It answered {status}: redirects are not followed. Give the webhook the new URL.")
    if status == GONE:
        return Answer(status, "It answered 410, which says for good that nobody listens there.", final=True)
    return Answer(status, f"It answered {status}, where 2xx says that an event was taken.")


def _told(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"It did not answer within {PATIENCE:g} s."
    return f"It could not be reached: {type(error).__name__}."
