"""How is a delivery signed? As standard-webhooks says: HMAC-SHA256 over id, timestamp and body.

A secret is derived from the installation's pepper and the webhook's salt, so that the database alone tells none.
"""

import base64
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

PREFIX: Final = "whsec_"


def secret_bytes(pepper: bytes, webhook_id: str, salt: str) -> bytes:
    """32 bytes that nobody has who lacks the pepper."""
    return hmac.digest(pepper, f"webhook secret\0{webhook_id}\0{salt}".encode(), "sha256")


def secret_text(secret: bytes) -> str:
    """As its owner keeps it: `whsec_` and base64."""
    return PREFIX + base64.b64encode(secret).decode()


def signed_headers(secrets: Sequence[bytes], event_id: str, at: datetime, body: bytes) -> Mapping[str, str]:
    """The three headers; one signature for each secret that is valid now, the newest first."""
    timestamp = str(int(at.timestamp()))
    signed = b".".join((event_id.encode(), timestamp.encode(), body))
    signatures = [base64.b64encode(hmac.digest(secret, signed, "sha256")).decode() for secret in secrets]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
