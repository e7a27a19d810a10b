"""How $(NAME) in commands and values is replaced: as Kubernetes does it."""

import re
from collections.abc import Mapping

REFERENCE = re.compile(r"\$(\$|\(([^)]*)\))")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace $(NAME) by its value; an unknown name stays as it is, and $$ stands for one $."""

    def replacement(match: re.Match[str]) -> str:
        if match.group(1) == "$":
            return "$"
        return variables.get(match.group(2), match.group(0))

    return REFERENCE.sub(replacement, text)
