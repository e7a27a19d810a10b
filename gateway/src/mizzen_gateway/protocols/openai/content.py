"""What hides in the nested parts of a body: URLs that an engine would fetch, serialised objects, depth, media.

An engine sits inside of the network. Wherever it takes a URL (in messages, in inputs, in documents to rank), it would
fetch it from there, so only `data:` passes, and what `media_urls.py` lets through.
"""

from collections.abc import Iterator
from typing import Any

from mizzen_gateway.protocols.depth import CONTAINERS, MOST_DEPTH, why_too_deep
from mizzen_gateway.protocols.openai.errors import invalid
from mizzen_gateway.protocols.openai.media_urls import NO_HOSTS, Hosts, names_a_place, why_refused
from mizzen_gateway.stages import Refusal

URL_FIELDS = frozenset({"image_url", "audio_url", "video_url", "file_url", "server_url", "input_image"})
"""Fields whose text, or whose field `url`, an engine fetches."""
CONTENT_FIELDS = frozenset(
    {
        "input_audio",
        "input_video",
        "file",
        "file_data",
        "image",
        "audio",
        "video",
        "images",
        "audios",
        "videos",
        "files",
        "image_data",
        "audio_data",
        "video_data",
    }
)
"""Fields that hold the content itself, or whose field `url` or `data` does, or lists of such."""
MEDIA_PARTS = ("image", "audio", "video", "file", "input_")
"""How the type of a part begins that is media; its own PLACES say where it is, then."""
PLACED = "url"
"""Type of a part's source that is named rather than sent."""
PLACES = frozenset({"url", "path"})
WITHIN = PLACES | {"source"}
"""Where a part that is media has its content."""
HOLDS = ("url", "path", "data", "file_data")
SERIALISED = frozenset({"image_embeds", "audio_embeds", "video_embeds", "prompt_embeds"})
"""Fields that an engine reads as serialised tensors."""
MEDIA_FIELDS = URL_FIELDS | CONTENT_FIELDS
"""Fields whose size says nothing of the tokens that they become."""
NAMED_CONTENT = MEDIA_FIELDS | SERIALISED
"""Fields that are looked at by their own name, beside what is inside of them."""


def refused_content(value: Any, where: str, hosts: Hosts = NO_HOSTS) -> Refusal | None:
    """A URL that must not be fetched, a serialised object, or too much depth, anywhere below `where`."""
    for place, field, held, part in _fields(value, where):
        if field is None:
            return _too_deep(where)
        if field in PLACES and held is not None and _is_media(part):
            why = why_refused(held, hosts)
            if why is not None:
                return invalid(f"{place}.{field}", f"{place}.{field}: {why}.", "url_not_allowed")
        if field in SERIALISED and held is not None:
            message = f"{place}.{field}: not allowed, because it carries serialised objects; send the content itself."
            return invalid(f"{place}.{field}", message, "parameter_not_allowed")
        if field in MEDIA_FIELDS and held is not None:
            why = _why_no_media(field, held, hosts)
            if why is not None:
                return invalid(f"{place}.{field}", f"{place}.{field}: {why}.", "url_not_allowed")
    return None


def refused_depth(value: Any, where: str) -> Refusal | None:
    """Too much depth, in what an engine reads as data (a schema, say)."""
    return _too_deep(where) if any(field is None for _, field, _, _ in _fields(value, where)) else None


def plain(value: Any) -> bool:
    """A list of objects that hold texts and numbers alone, none of them named as media are: most conversations."""
    if type(value) is not list:
        return False
    for entry in value:
        if type(entry) is not dict or not MEDIA_FIELDS.isdisjoint(entry) or _is_media(entry):
            return False
        for inner in entry.values():
            if type(inner) in CONTAINERS:
                return False
    return True


def first_media(value: Any, where: str) -> str | None:
    """Where the first image, sound or file is."""
    if plain(value):
        return None
    for place, field, held, part in _fields(value, where):
        if (
            (field in MEDIA_FIELDS or (field in WITHIN and _is_media(part)))
            and held is not None
            and not isinstance(held, bool)
        ):
            return f"{place}.{field}" if place else field
    return None


def holds_content(value: Any) -> bool:
    """Whether a field named as media holds any, rather than how some is to be made."""
    return value is not None and not isinstance(value, bool) and any(True for _ in _texts_in(value))


def _is_media(part: dict[str, Any]) -> bool:
    kind = part.get("type")
    return type(kind) is str and (kind.startswith(MEDIA_PARTS) or kind == PLACED)


def _why_no_media(field: str, held: Any, hosts: Hosts) -> str | None:
    if field in URL_FIELDS:
        return next((why for one in _urls_in(held) if (why := why_refused(one, hosts)) is not None), None)
    return next((why_refused(one, hosts) for one in _texts_in(held) if names_a_place(one)), None)


def _urls_in(held: Any) -> Iterator[Any]:
    """What a field of a URL holds, in lists and under the names that say where it is."""
    waiting = [held]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting.extend(one[name] for name in PLACES if one.get(name) is not None)
        elif isinstance(one, list):
            waiting.extend(one)
        else:
            yield one


def _texts_in(held: Any) -> Iterator[Any]:
    """What a field of content holds, in lists and under the names that say where it is."""
    waiting = [held]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting.extend(one[name] for name in HOLDS if name in one)
        elif isinstance(one, list):
            waiting.extend(one)
        else:
            yield one


def _too_deep(where: str) -> Refusal:
    return invalid(where, why_too_deep(where))


def _fields(value: Any, where: str) -> Iterator[tuple[str, str | None, Any, dict[str, Any]]]:
    """Place, name, value and object of each field, however deep; the name is None once, where it gets too deep."""
    waiting = [(value, where, 1)]
    while waiting:
        held, place, depth = waiting.pop()
        if depth > MOST_DEPTH:
            yield place, None, None, {}
            return
        if isinstance(held, dict):
            for field, inner in held.items():
                yield place, field, inner, held
                if isinstance(inner, CONTAINERS):
                    waiting.append((inner, f"{place}.{field}" if place else field, depth + 1))
        elif isinstance(held, list):
            waiting.extend(
                (inner, f"{place}[{index}]", depth + 1)
                for index, inner in enumerate(held)
                if isinstance(inner, CONTAINERS)
            )
