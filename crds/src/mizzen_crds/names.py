"""How may models and aliases of the registry be named? Shared by who keeps them and who checks before sending."""

from typing import Final

MODEL_NAME_PATTERN: Final = r"^[a-zA-Z0-9]([-._a-zA-Z0-9]*[a-zA-Z0-9])?$"
ALIAS_PATTERN: Final = r"^[a-zA-Z]([-._a-zA-Z0-9]*[a-zA-Z0-9])?$"
LONGEST_NAME: Final = 63
"""Characters of either."""
