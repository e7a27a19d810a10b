"""How content of a store that is elsewhere is answered with: passed through, the whole or the one range asked for."""

import re
from collections.abc import Mapping

from fastapi import Response
from fastapi.responses import StreamingResponse

from mizzen_controlplane.kit.content_store import ContentStore
from mizzen_controlplane.models.models import VersionFile

_RANGE = re.compile(r"^bytes=(\d{1,18})-(\d{0,18})$")


def passed_through(store: ContentStore, file: VersionFile, asked: str, headers: Mapping[str, str]) -> Response:
    """The bytes of `file`; `asked` is the header Range, and what is no single range from an offset gives the whole."""
    match = _RANGE.match(asked)
    first, end = 0, file.size
    if match is not None:
        first = int(match[1])
        end = min(int(match[2]) + 1, file.size) if match[2] else file.size
        if first >= end:
            return Response(status_code=416, headers={"Content-Range": f"bytes */{file.size}"})
    about = {**headers, "Content-Length": str(end - first), "Accept-Ranges": "bytes"}
    if match is not None:
        about["Content-Range"] = f"bytes {first}-{end - 1}/{file.size}"
    body = store.read(file.sha256, first, end)
    return StreamingResponse(body, 206 if match else 200, about, media_type="application/octet-stream")
