"""Does anything have the name that a limit, a budget, a price or a key is confined to? If not, a person is told, and it
is kept: the model may come later.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

import typer

from mizzen_cli.client import ApiClient
from mizzen_cli.errors import CommandError

MOST_PROJECTS = 100
"""So many are searched for a name that a price of the organization has."""
LISTED = "`mizzen get` lists the deployments there are."

Names = tuple[set[str], dict[str, str]]
"""Served names, and aliases with the served name of each."""


def warn_unserved(api: ApiClient, model: str | None, what: str) -> None:
    """Say on standard error that `what` counts nothing now, where no deployment has `model` as its served name."""
    if model is None:
        return
    served, aliases = (_granted(api), {}) if "/" in model else _names(api, api.project)
    if model not in served:
        _told(f"{what} counts nothing until a deployment serves {model!r}. {_remedy(model, aliases)}")


def warn_uncallable(api: ApiClient, models: Iterable[str], key: str) -> None:
    """Say which of a key's models nothing has as its name; a route may, which the control plane does not see."""
    asked = list(dict.fromkeys(models))
    if not asked:
        return
    served, aliases = _names(api, api.project)
    known = served | aliases.keys()
    if any("/" in model for model in asked):
        known |= _granted(api)
    for model in asked:
        if model not in known:
            grants = "`mizzen grants list` shows the models of other projects." if "/" in model else LISTED
            _told(f"the key {key} may call {model!r}, which no deployment has as a name. {grants}")


def warn_unserved_anywhere(api: ApiClient, model: str, card: str) -> None:
    """Say that a price counts nothing now; silent where projects are too many, or more than the caller may see."""
    if model == "*":
        return
    owner, slash, name = model.rpartition("/")
    aliases: dict[str, str] = {}
    try:
        for project in [owner] if slash else _projects(api):
            served, others = _names(api, project)
            if name in served:
                return
            aliases |= others
    except CommandError:
        return
    remedy = _remedy(name, aliases)
    _told(f"the price of the rate card {card} counts nothing until a deployment serves {model!r}. {remedy}")


def _projects(api: ApiClient) -> Iterator[str]:
    """Names, the own one first."""
    yield api.project
    others = [row["name"] for row in islice(api.items("/api/v1/projects"), MOST_PROJECTS + 1)]
    if len(others) > MOST_PROJECTS:
        raise CommandError(f"more than {MOST_PROJECTS} projects")
    yield from (name for name in others if name != api.project)


def _remedy(model: str, aliases: dict[str, str]) -> str:
    if model in aliases:
        return f"{model} is an alias, and requests are counted under the served name {aliases[model]}: use that one."
    return LISTED


def _granted(api: ApiClient) -> set[str]:
    return {str(grant["model"]) for grant in api.items(api.path("grants"))}


def _names(api: ApiClient, project: str) -> Names:
    served: set[str] = set()
    aliases: dict[str, str] = {}
    for row in api.items(f"/api/v1/projects/{project}/deployments"):
        spec = row["manifest"]["spec"]
        name = spec.get("servedModelName") or row["name"]
        served.add(name)
        aliases |= dict.fromkeys(spec.get("aliases") or [], name)
    return served, aliases


def _told(sentence: str) -> None:
    typer.echo(f"warning: {sentence}", err=True)
