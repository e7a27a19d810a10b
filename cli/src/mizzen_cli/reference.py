"""Can the version that a deployment names be served at all? Asked before anything is sent."""

from mizzen_cli.client import ApiClient, Json
from mizzen_cli.errors import CommandError, ExitCode

FINAL_STATES = {
    "FAILED": "which is final: {reason} Mend that and push a new version with `mizzen models push {model} PATH`.",
    "QUARANTINED": "so nothing serves it: {reason} `mizzen models scan {model}@NUMBER` shows all that was found.",
    "ARCHIVED": "so nothing new is made of it. `mizzen models versions {model}` lists those that can be served.",
}
DEFAULT_ALIAS = "champion"


def parse_reference(text: str) -> Json:
    """MODEL, MODEL@ALIAS or MODEL@NUMBER as spec.model.versionRef."""
    model, _, wanted = text.partition("@")
    if wanted.isdecimal():
        return {"model": model, "version": int(wanted)}
    return {"model": model, "alias": wanted or DEFAULT_ALIAS}


def check_reference(api: ApiClient, reference: Json) -> None:
    """Raises CommandError for a version that does not exist, or never becomes ready: waiting for it would not end."""
    kind = "version" if reference.get("version") is not None else "alias"
    model, wanted = reference["model"], reference[kind]
    newest = _newest(api, model)
    try:
        found = api.get(api.path("models", model, "versions" if kind == "version" else "aliases", str(wanted)))
    except CommandError as error:
        if error.code is not ExitCode.NOT_FOUND:
            raise
        raise CommandError(_missing(kind, model, wanted, newest), ExitCode.NOT_FOUND) from None
    if words := FINAL_STATES.get(found.get("state", "")):
        said = words.format(reason=found["reason"], model=model)
        raise CommandError(f"Version {wanted} of {model} is {found['state']}, {said}")


def _newest(api: ApiClient, model: str) -> int:
    """Number of the model's newest version, 0 for none; raises CommandError where there is no such model."""
    try:
        return int(api.get(api.path("models", model))["latest_version"])
    except CommandError as error:
        if error.code is not ExitCode.NOT_FOUND:
            raise
        raise CommandError(
            f"There is no model {model} in the project {api.project}. `mizzen models list` shows those there are; "
            f"`mizzen models push {model} PATH --alias {DEFAULT_ALIAS}` makes it.",
            ExitCode.NOT_FOUND,
        ) from None


def _missing(kind: str, model: str, wanted: object, newest: int) -> str:
    if not newest:
        push = f"mizzen models push {model} PATH --alias {DEFAULT_ALIAS}"
        return f"The model {model} has no version yet. Push one: `{push}`."
    if kind == "version":
        return (
            f"The model {model} has no version {wanted}; the newest is {newest}. See `mizzen models versions {model}`."
        )
    return (
        f"The model {model} has no alias {wanted}; its newest version is {newest}. Set the alias with `mizzen models "
        f"alias {model} {wanted} {newest}`, or name a version: {model}@{newest}."
    )
