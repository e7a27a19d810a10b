"""What in an event is personal? Names, e-mail addresses and the like are told apart here, before anything is hashed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

MARK: Final = "[personal]"
"""In the place of what was told apart."""
FIELDS: Final = frozenset(
    {
        "email", "e_mail", "email_address", "mail", "emails", "display_name", "full_name", "given_name", "family_name",
        "preferred_username", "username", "user_name", "phone", "phone_number", "address", "postal_address", "picture",
        "ip_address", "client_address",
    }
)  # fmt: skip
_EMAIL: Final = re.compile(r"[^\s@<>\"',;:()]+@[^\s@<>\"',;:()]+\.[^\s@<>\"',;:()]+")


@dataclass(slots=True)
class Parted:
    """An event's texts without what is personal, and that beside them, by where it stood."""

    personal: dict[str, Any] = field(default_factory=dict)

    def body(self, where: str, body: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """`body` without; `where` is `before` or `after`."""
        if body is None:
            return None
        return {key: self._value(f"{where}/{key}", key, inner) for key, inner in body.items()}

    def text(self, where: str, text: str) -> str:
        """`text`, or the mark where an e-mail address is in it."""
        if not _EMAIL.search(text):
            return text
        self.personal[where] = text
        return MARK

    def _value(self, where: str, key: str, value: Any) -> Any:
        if key.casefold() in FIELDS and value not in (None, "", [], {}):
            self.personal[where] = value
            return MARK
        if isinstance(value, dict):
            return self.body(where, value)
        if isinstance(value, list):
            return [self._value(f"{where}/{index}", "", inner) for index, inner in enumerate(value)]
        return self.text(where, value) if isinstance(value, str) else value
