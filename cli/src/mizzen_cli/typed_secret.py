"""A secret comes from the keyboard unseen, or from standard input; never from arguments, which others can list."""

import sys

import typer


def typed_secret(what: str, *, twice: bool = False) -> str:
    """One line, without its end."""
    if sys.stdin.isatty():
        return str(typer.prompt(what, hide_input=True, err=True, confirmation_prompt=twice))
    return sys.stdin.readline().rstrip("\r\n")
