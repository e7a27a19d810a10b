"""What does the secret of a session look like? As every token of this installation, so that logs blot it out."""

import secrets
import string
from typing import Final

PREFIX: Final = "mzt_session_"
ALPHABET: Final = string.ascii_letters + string.digits


def new_secret() -> str:
    """256 random bits."""
    return PREFIX + "".join(secrets.choice(ALPHABET) for _ in range(43))
