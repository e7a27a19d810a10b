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
OF_A_PERSON: Final = frozenset({"name", "subject", "agent"})
"""In an event about a person these are personal as well; of other resources they are what they are called."""
_EMAIL: Final = re.compile(r"[^\s@<>\"',;:()]+@[^\s@<>\"',;:()]+\.[^\s@<>\"',;:()]+")


@dataclass(slots=True)
class Parted:
    """An event's texts without what is personal, and that beside them, by where it stood."""

    of_a_person: bool = False
    """The event is about a person: its resource's name is one's own."""
    personal: dict[str, Any] = field(default_factory=dict)

    def body(self, where: str, body: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """`body` without; `where` is `before` or `after`."""
        if body is None:
            return None
        return {key: self._value(f"{where}/{key}", key, inner) for key, inner in body.items()}

    def name(self, name: str) -> str:
        """The resource's name, or the mark where it is a person's, or has an e-mail address in it."""
        if not self.of_a_person or not name:
            return self.text("resource_name", name)
        self.personal["resource_name"] = name
        return MARK

    def text(self, where: str, text: str) -> str:
        """`text`, or the mark where an e-mail address is in it."""
        if not _EMAIL.search(text):
            return text
        self.personal[where] = text
        return MARK

    def _value(self, where: str, key: str, value: Any) -> Any:
        named = key.casefold()
        if (named in FIELDS or (self.of_a_person and named in OF_A_PERSON)) and value not in (None, "", [], {}):
            self.personal[where] = value
            return MARK
        if isinstance(value, dict):
            return self.body(where, value)
        if isinstance(value, list):
            return [self._value(f"{where}/{index}", "", inner) for index, inner in enumerate(value)]
        return self.text(where, value) if isinstance(value, str) else value
