"""Calling models through the gateway: which key is used, and what an answer or a refusal looks like."""

import os
from collections.abc import Iterator
from typing import Any

import httpx
import orjson

from mizzen_cli.context import Context
from mizzen_cli.errors import CommandError, ExitCode
from mizzen_cli.remedies import in_commands
from mizzen_cli.trust import trusted

Json = dict[str, Any]


class GatewayClient:
    """A session with one gateway, authenticated by MIZZEN_API_KEY or the context's own key."""

    def __init__(self, context: Context, timeout_seconds: float = 300.0) -> None:
        key = os.environ.get("MIZZEN_API_KEY") or context.api_key
        if not key:
            raise CommandError(
                "No API key. Make one with `mizzen keys create NAME` and set MIZZEN_API_KEY.", ExitCode.USAGE
            )
        self.url = context.gateway_url
        self._http = httpx.Client(
            base_url=context.gateway_url,
            headers={"authorization": f"Bearer {key}"},
            timeout=timeout_seconds,
            trust_env=False,
            verify=trusted(context.gateway_url),
        )

    def __enter__(self) -> "GatewayClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str) -> Json:
        """One answer."""
        return self._answer("GET", path)

    def post(self, path: str, body: Json) -> Json:
        """One answer to a body."""
        return self._answer("POST", path, json=body)

    def events(self, path: str, body: Json) -> Iterator[Json]:
        """The events of a streamed answer."""
        try:
            with self._http.stream("POST", path, json=body) as response:
                if response.is_error:
                    response.read()
                    raise _refused(response)
                for line in response.iter_lines():
                    if line.startswith("data: ") and line != "data: [DONE]":
                        yield _event(line)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    def _answer(self, method: str, path: str, **options: Any) -> Json:
        try:
            response = self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        if response.is_error:
            raise _refused(response)
        answer: Json = response.json()
        return answer

    def _unreachable(self, error: Exception) -> CommandError:
        return CommandError(
            f"The gateway at {self.url} does not answer ({type(error).__name__}). See `mizzen status`.",
            ExitCode.UNREACHABLE,
        )


def _event(line: str) -> Json:
    event: Json = orjson.loads(line.removeprefix("data: "))
    if "error" in event:
        raise CommandError(str(event["error"].get("message")))
    return event


def _refused(response: httpx.Response) -> CommandError:
    try:
        error = response.json()["error"]
    except (ValueError, KeyError):
        return CommandError(f"The gateway answered {response.status_code}.")
    message = error["message"] if isinstance(error, dict) else error
    code = ExitCode.NOT_FOUND if response.status_code == httpx.codes.NOT_FOUND else ExitCode.REFUSED
    said = f"{response.status_code}: {in_commands(response.status_code, str(message))}"
    wait = response.headers.get("retry-after")
    return CommandError(f"{said} (again in {wait} s)" if wait and "try again" not in said.lower() else said, code)
