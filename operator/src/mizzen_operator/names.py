"""What are the children called? Names that fit 63 characters, however long the deployment's own name is."""

import hashlib

LONGEST_NAME = 63
"""A Service's name, a label's value and a host name hold no more."""


def child_name(owner: str, suffix: str) -> str:
    """Return `<owner>-<suffix>`; an owner too long for that is cut and told apart by four digits of its hash."""
    name = f"{owner}-{suffix}"
    if len(name) <= LONGEST_NAME:
        return name
    digits = hashlib.sha256(owner.encode()).hexdigest()[:4]
    room = LONGEST_NAME - len(suffix) - len(digits) - 2
    return f"{owner[:room].rstrip('-')}-{digits}-{suffix}"
