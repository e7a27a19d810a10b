"""How the commands talk to the control plane: one small client that turns problems into sentences."""

import os
import re
import ssl
from collections.abc import Iterator
from typing import Any

import httpx
from mizzen_client.calls import Call
from mizzen_client.errors import ApiError, FieldError, Unreachable, refusal
from mizzen_client.transport import Connection, Transport

from mizzen_cli.context import Context
from mizzen_cli.errors import CommandError, ExitCode
from mizzen_cli.remedies import with_remedy
from mizzen_cli.trust import trusted

Json = dict[str, Any]
PAGE = 200
WORDS = {
    "amount": "--amount", "expires_at": "--expires-at", "key": "--key", "models": "--model", "model": "--model",
    "overlap_seconds": "--overlap", "window_seconds": "--window", "name": "NAME", "alias": "ALIAS", "start": "--start",
    "end": "--end", "bucket": "--bucket", "group_by": "--group-by",
    "per_million_input_tokens": "--per-million-input", "per_million_output_tokens": "--per-million-output",
    "source": "SOURCE", "files": "--file",
    "per_request": "--per-request", "page_size": "--limit", "hardness": "--hardness",
}  # fmt: skip
"""Field of a request -> what a person wrote it as."""


def _trusted(url: str, ca: str) -> ssl.SSLContext | bool:
    try:
        return trusted(url, ca)
    except (OSError, ssl.SSLError) as error:
        raise CommandError(
            f"MIZZEN_CONTROLPLANE_CA, or controlplane_ca of the context file: {ca} holds no certificate ({error}); "
            "name the PEM file of the authority of the control plane's certificate",
            ExitCode.USAGE,
        ) from error


class ApiClient:
    """A session with one control plane. Every method raises CommandError with the server's own words."""

    def __init__(self, context: Context, timeout_seconds: float = 30.0) -> None:
        self.project = context.project
        verify = _trusted(context.controlplane_url, context.controlplane_ca)
        # A person at the command line sees a refusal at once, and repeats the command.
        self._transport = Transport(
            Connection(context.controlplane_url, context.token, verify, timeout_seconds, retries=0)
        )
        self._http = self._transport.http

    def __enter__(self) -> "ApiClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._transport.close()

    def path(self, *parts: str) -> str:
        """Path of a resource of the project: path("keys") is /api/v1/projects/<project>/keys."""
        return "/".join(["/api/v1/projects", self.project, *parts])

    def get(self, path: str, **params: Any) -> Json:
        """One resource."""
        return self._json(self.request("GET", path, params=_present(params)))

    def items(self, path: str, **params: Any) -> Iterator[Json]:
        """Every item of a list, page by page."""
        token: str | None = None
        while True:
            page = self.get(path, page_size=PAGE, page_token=token, **params)
            yield from page["items"]
            token = page.get("next_page_token")
            if not token:
                return

    def lines(self, path: str, **params: Any) -> Iterator[str]:
        """Yield the lines of a text that may go on for ever."""
        timeout = httpx.Timeout(self._http.timeout.connect, read=None)
        try:
            with self._http.stream("GET", path, params=_present(params), timeout=timeout) as response:
                if response.is_error:
                    response.read()
                    raise refused(response)
                yield from response.iter_lines()
        except httpx.HTTPError as error:
            raise unreachable(str(self._http.base_url), error) from error

    def post(self, path: str, body: Json | None = None, **params: Any) -> Json:
        """Create, or a verb."""
        return self._json(self.request("POST", path, json=body or {}, params=_present(params)))

    def put(self, path: str, body: Json, if_match: str | None = None, **params: Any) -> Json:
        """Create or replace by name; with `if_match`, only that version of it."""
        headers = {"if-match": if_match} if if_match else {}
        return self._json(self.request("PUT", path, json=body, headers=headers, params=_present(params)))

    def patch(self, path: str, body: Json) -> Json:
        """Merge-patch."""
        headers = {"content-type": "application/merge-patch+json"}
        return self._json(self.request("PATCH", path, json=body, headers=headers))

    def delete(self, path: str) -> None:
        """Delete."""
        self.request("DELETE", path)

    def operation(self, name: str, values: Json) -> Any:
        """Any operation of the API by its name; raises CommandError, as `request` does."""
        from mizzen_client.operations import Operations

        try:
            answer = getattr(Operations(self._transport), name)(**values)
            return list(answer) if isinstance(answer, Iterator) else answer
        except Unreachable as error:
            raise unreachable(self.url, error.because, may_have_done=True) from error
        except ApiError as error:
            raise sentence_of(error) from error

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One exchange; a status of 400 and above raises.

        Raises:
            CommandError: with the server's sentence, or a remedy when it does not answer.
        """
        call = Call(method, path, options.pop("params", {}), options.pop("headers", {}), **options)
        try:
            return self._transport.send(call)
        except Unreachable as error:
            raise unreachable(self.url, error.because, may_have_done=method != "GET") from error
        except ApiError as error:
            raise sentence_of(error) from error

    @property
    def url(self) -> str:
        """Where the control plane is."""
        return str(self._http.base_url)

    def exchange(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One exchange as it went, whatever the status; raises httpx.HTTPError. Threads may share it."""
        return self._http.request(method, path, **options)

    def stream(self, path: str, **params: Any) -> Iterator[str]:
        """A long answer as it comes. Raises CommandError, as `request` does."""
        try:
            with self._http.stream("GET", path, params=_present(params)) as response:
                if response.is_error:
                    response.read()
                    raise refused(response)
                yield from response.iter_text()
        except httpx.HTTPError as error:
            raise unreachable(str(self._http.base_url), error) from error

    @staticmethod
    def _json(response: httpx.Response) -> Json:
        return response.json() if response.content else {}


AFTER_ASKING = (httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError)
"""It had, or may have had, the whole request."""


def unreachable(url: str, error: Exception, *, may_have_done: bool = False) -> CommandError:
    """The sentence for a server that does not answer, or that shows a certificate which is not trusted.

    `may_have_done`: the request was to change something.
    """
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return CommandError(
            f"The control plane at {url.rstrip('/')} shows a certificate that is not trusted here ({error}). "
            "Name the PEM file of its authority in MIZZEN_CONTROLPLANE_CA, and call it by a name that is in the "
            "certificate.",
            ExitCode.UNREACHABLE,
        )
    asked = may_have_done and isinstance(error, AFTER_ASKING)
    done = "What was asked may have been done all the same: look before you repeat it. " if asked else ""
    return CommandError(
        f"The control plane at {url.rstrip('/')} does not answer ({type(error).__name__}). {done}{_way_to_it(url)}",
        ExitCode.UNREACHABLE,
    )


def _way_to_it(url: str) -> str:
    """Only one on this machine is started by `mizzen up`; one of a cluster may be reached through a port-forward."""
    if os.environ.get("MIZZEN_CONTROLPLANE_URL"):
        return (
            "MIZZEN_CONTROLPLANE_URL names it: correct that, or see that it runs and can be reached from here (of a "
            "cluster: `kubectl -n mizzen-system get pods`, and the port-forward, if it goes through one)."
        )
    if httpx.URL(url).host in {"127.0.0.1", "localhost", "::1"}:
        return "Is it running? See `mizzen status`; start it with `mizzen up`."
    return "See that it runs and can be reached from here; `mizzen env` shows which one the context names."


def refused(response: httpx.Response) -> CommandError:
    """The server's problem in an answer that has been read, as sentences."""
    return sentence_of(refusal(response))


def sentence_of(error: ApiError) -> CommandError:
    """The server's problem as sentences, one per field."""
    if not error.problem:
        return CommandError(f"The control plane answered {error.status} without an explanation.")
    # The detail repeats the first errors, for clients that show nothing else.
    detail = "\n".join(_field_sentence(each) for each in error.fields) or error.detail
    code = ExitCode.NOT_FOUND if error.status == httpx.codes.NOT_FOUND else ExitCode.REFUSED
    return CommandError(with_remedy(error.code, detail), code)


def _field_sentence(error: FieldError) -> str:
    detail = error.detail
    name = error.pointer.removeprefix("path:").removeprefix("query:").strip("/").replace("/", ".")
    leaf = name.rpartition(".")[2]
    if leaf in WORDS and (leaf == name or name.startswith("prices.")):
        unnamed = re.sub(rf"^[a-z0-9_.\[\]]*{leaf}: ", "", detail)
        return f"{WORDS[leaf]}: {unnamed}"
    # A sentence of a rule names its field itself.
    return detail if not name or name in detail else f"{name}: {detail}"


def _present(params: Json) -> Json:
    return {name: value for name, value in params.items() if value is not None}
