"""`docs/reference/rest-api.md`: what holds for every route of the REST API, and every operation in a line."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from reference.python_client import SUFFIX

_OPENING: Final = """# The REST API

Every operation of the control plane. Bodies, answers and all their fields: [openapi.json](openapi.json) (OpenAPI 3.1).
`mizzen api NAME` calls one by its name, and [the Python client](../how-to/python-client.md) has each as a method.

```sh
curl -H "Authorization: Bearer $MIZZEN_TOKEN" "$MIZZEN_CONTROLPLANE_URL/api/v1/projects/search/keys?page_size=5"
mizzen api list_keys page_size=5 --project search
```

## What holds everywhere

| what | how |
|---|---|
| who calls | `Authorization: Bearer` with a token of an installation's program, a service account, a session of the command line or an identity provider; or a browser's cookie, with `X-CSRF-Token` where it writes. [Signing in](../how-to/sign-in.md) |
| what they may do | each operation needs one [permission](roles.md), where its path leads. Without it: 403, or 404 where one may not even see that it is there. An id of another project is 404 |
| `{project}` | id or name. Ids never change and are never used again |
| refusals | `application/problem+json`: `code` to compare, `detail` for people, `errors` with a `pointer` for each field, `request_id` for the log |
| a POST that must happen once | `Idempotency-Key`: the same key and body get the same answer for 24 hours; another body 422, one still running 409 |
| a write that must not undo another's | `If-Match` with the `ETag` that was read: 412 where it has changed since |
| lists | `page_size` up to 500, `page_token` from `next_page_token` of the page before, `filter=name = search AND created_at > 2027-01-01T00:00:00Z`, `order_by=name desc` |
| times and money | RFC 3339 in UTC; decimal strings of a currency |
| limits | bodies of 8 MiB but for files (`MIZZEN_MAX_BODY_BYTES`): 413; too many requests: 429 with `Retry-After` |
| database away: 503 with `Retry-After`; store full: 507 | nothing is half done, and what was answered with 2xx is kept |
"""  # noqa: E501 - rows of a table


def rest_api_page(api: Mapping[str, Any]) -> str:
    """The whole page, of the document of the REST API."""
    groups: dict[str, list[str]] = defaultdict(list)
    for path, item in api["paths"].items():
        for method, operation in item.items():
            groups[operation["tags"][0]].append(_row(method.upper(), path, operation))
    told = [_OPENING]
    for tag in sorted(groups):
        head = ["| operation | route | what it does | permission |", "|---|---|---|---|"]
        told += [f"## {tag.replace('-', ' ').capitalize()}", "", *head, *groups[tag], ""]
    return "\n".join(told)


def _row(method: str, path: str, operation: Mapping[str, Any]) -> str:
    name = SUFFIX.split(operation["operationId"] + "_")[0]
    needed = operation.get("x-mizzen-permission")
    says = " ".join(operation.get("description", "").split()).replace("|", "\\|")
    shown = path.removeprefix("/api/v1")
    return f"| `{name}` | `{method} {shown}` | {says} | {f'`{needed}`' if needed else 'none'} |"
