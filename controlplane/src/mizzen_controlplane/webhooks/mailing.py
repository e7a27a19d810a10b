"""How is an event sent as e-mail? A short text with the event beneath, by the SMTP server of the settings."""

import asyncio
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Any, Final

import orjson

from mizzen_controlplane.kit.settings import SmtpSettings
from mizzen_controlplane.webhooks.models import Delivery

MAIL: Final = "mailto:"
SECONDS: Final = 15.0


async def mail(smtp: SmtpSettings | None, address: str, delivery: Delivery) -> str:
    """Send it; returns why it was not taken, empty where it was."""
    if smtp is None:
        return "E-mail is no longer set up: MIZZEN_SMTP_HOST is not set."
    try:
        await asyncio.to_thread(_hand_over, smtp, letter(smtp.sender, address, delivery))
    except (smtplib.SMTPException, OSError) as error:
        return f"The mail server did not take it: {_told(error)}"
    return ""


def letter(sender: str, address: str, delivery: Delivery) -> EmailMessage:
    """The message; its Message-ID is the same for each attempt, so that mailboxes may show it once."""
    event = orjson.loads(delivery.body)
    message = EmailMessage()
    message["From"], message["To"] = sender, address
    message["Subject"] = _subject(delivery, event)
    message["Date"] = format_datetime(delivery.created_at)
    message["Message-ID"] = f"<{delivery.event_id}.{delivery.id}@{make_msgid().rpartition('@')[2]}"
    message["Auto-Submitted"] = "auto-generated"
    lines = [f"{key}: {value}" for key, value in event["data"].items() if not isinstance(value, (dict, list))]
    text = [f"{event['type']} of {event['source']} at {event['time']}", "", *lines, "", f"Event {event['id']}"]
    message.set_content("\n".join(text) + "\n")
    return message


def _subject(delivery: Delivery, event: dict[str, Any]) -> str:
    said = event["data"].get("summary") or f"{delivery.event_type} of {delivery.subject}"
    return f"[mizzen] {' '.join(str(said).split())[:200]}"


def _hand_over(smtp: SmtpSettings, message: EmailMessage) -> None:
    with _connected(smtp) as server:
        if smtp.security == "starttls":
            server.starttls(context=ssl.create_default_context())
        if smtp.user:
            server.login(smtp.user, _password(smtp.password_file))
        server.send_message(message)


def _connected(smtp: SmtpSettings) -> smtplib.SMTP:
    if smtp.security == "tls":
        return smtplib.SMTP_SSL(smtp.host, smtp.port, timeout=SECONDS, context=ssl.create_default_context())
    return smtplib.SMTP(smtp.host, smtp.port, timeout=SECONDS)


def _password(file: Path | None) -> str:
    return file.read_text().strip() if file is not None else ""


def _told(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {type(error).__name__}"
    return type(error).__name__ if not isinstance(error, OSError) else error.strerror or type(error).__name__
