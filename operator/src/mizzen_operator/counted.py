"""How is a number of things said to people? One pod, two pods."""


def counted(number: int | None, thing: str) -> str:
    """Return the number with the thing's name in singular or plural; `?` where it is not known."""
    return f"{'?' if number is None else number} {thing}{'' if number == 1 else 's'}"


def ready_of(ready: int, wanted: int) -> str:
    """Return how many of the wanted replicas are ready; more are while some are about to go."""
    if ready > wanted:
        return f"{counted(ready, 'replica')} {verb(ready, 'is', 'are')} ready, {wanted} wanted."
    return f"{ready} of {counted(wanted, 'replica')} {verb(ready, 'is', 'are')} ready."


def verb(number: int, singular: str, plural: str) -> str:
    """Return the form of a verb that goes with so many."""
    return singular if number == 1 else plural
