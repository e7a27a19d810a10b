"""What ends a gateway before it serves."""


class CannotStartError(Exception):
    """A port or the data folder cannot be had; the message names the variable and the remedy."""
