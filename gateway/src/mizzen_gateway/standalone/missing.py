"""Which secrets and authorities are not where gateway.yaml says? All of them at once, for whoever checks the file."""

from collections.abc import Iterator
from pathlib import Path

from mizzen_crds.mistakes import Mistake

from mizzen_gateway.standalone.config import GatewayFile
from mizzen_gateway.standalone.parts import Secret, SecretMissingError

Place = tuple[str | int, ...]


def missing(file: GatewayFile, folder: Path) -> Iterator[Mistake]:
    """A mistake for each, at its field."""
    for place, secret in _secrets(file):
        if secret is not None:
            try:
                secret.read(folder, "")
            except SecretMissingError as error:
                yield Mistake(place, str(error).removeprefix(": "))
    for number, upstream in enumerate(file.upstreams):
        if upstream.ca_file is not None and not (folder / upstream.ca_file).is_file():
            yield Mistake(
                ("upstreams", number, "ca_file"), f"there is no file {folder / upstream.ca_file}; put it there"
            )


def _secrets(file: GatewayFile) -> Iterator[tuple[Place, Secret | None]]:
    yield ("pepper",), file.pepper
    yield ("limits_store", "password"), file.limits_store.password
    for number, upstream in enumerate(file.upstreams):
        yield ("upstreams", number, "api_key"), upstream.api_key
    for number, project in enumerate(file.projects):
        for position, key in enumerate(project.keys):
            yield ("projects", number, "keys", position, "key"), key.key
    for number, header in enumerate(() if file.traces is None else file.traces.headers):
        yield ("traces", "headers", number, "value"), header.value
