"""Does anything serve the name that a limit or a budget is confined to? If not, a person is told, and it is kept."""

import typer

from mizzen_cli.client import ApiClient


def warn_unserved(api: ApiClient, model: str | None, what: str) -> None:
    """Say on standard error that `what` counts nothing now, where no deployment has `model` as its served name."""
    if model is None:
        return
    if "/" in model:
        served = {str(grant["model"]) for grant in api.items(api.path("grants"))}
        aliases: dict[str, str] = {}
    else:
        served, aliases = _names(api)
    if model in served:
        return
    if model in aliases:
        remedy = f"{model} is an alias, and requests are counted under the served name {aliases[model]}: use that one."
    else:
        remedy = "`mizzen get` lists the deployments there are."
    typer.echo(f"warning: {what} counts nothing until a deployment serves {model!r}. {remedy}", err=True)


def _names(api: ApiClient) -> tuple[set[str], dict[str, str]]:
    """Served names of the project, and its aliases with the served name of each."""
    served: set[str] = set()
    aliases: dict[str, str] = {}
    for row in api.items(api.path("deployments")):
        spec = row["manifest"]["spec"]
        name = spec.get("servedModelName") or row["name"]
        served.add(name)
        aliases |= dict.fromkeys(spec.get("aliases") or [], name)
    return served, aliases
