"""An engine fetches from the hosts that are named, by https, and from nothing else, however a URL is written."""

from typing import Any

import pytest
from mizzen_gateway.protocols.openai.media_urls import MOST_DATA_URL, NO_HOSTS, hosts_of, why_no_host, why_refused
from mizzen_gateway.protocols.openai.operations import OPERATIONS
from mizzen_gateway.protocols.openai.parameters import first_refusal, media_in
from mizzen_gateway.settings import SettingsError, read_settings
from support.gateway import gateway_environment

NAMED = hosts_of(["img.example.com", "xn--bcher-kva.example"])
TAKEN = (
    "https://img.example.com/cat.png",
    "https://img.example.com",
    "https://img.example.com/",
    "https://img.example.com?x=1#y",
    "https://img.example.com:443/a%20b.png?u=https://10.0.0.1/",
    "https://IMG.Example.COM/cat.png",
    "https://xn--bcher-kva.example/a",
    "data:image/png;base64,AAAA",
    "data:,",
)
REFUSED = (
    "http://img.example.com/cat.png",
    "HTTPS://img.example.com/",
    "https:img.example.com/",
    "https:/img.example.com/",
    "https:///img.example.com/",
    "https:\\\\img.example.com/",
    "//img.example.com/",
    " https://img.example.com/",
    "https://img.example.com /",
    "https://img.example.com/a b",
    "\thttps://img.example.com/",
    "ht\ttps://img.example.com/",
    "https://img.exam\tple.com/",
    "https://img.example.com/\r\nHost: x",
    "https://img.example.com/\x00",
    "https://evil.example/",
    "https://img.example.com.evil.example/",
    "https://evil.example/img.example.com",
    "https://evil.example#img.example.com",
    "https://evil.example?img.example.com",
    "https://evil.example#@img.example.com/",
    "https://img.example.com@evil.example/",
    "https://user@img.example.com/",
    "https://user:pass@img.example.com/",
    "https://@img.example.com/",
    "https://img.example.com\\@evil.example/",
    "https://evil.example\\.img.example.com/",
    "https://img.example.com\\evil.example/",
    "https://img.example.com/a\\b",
    "https://img.example.com;evil.example/",
    "https://img.example.com%00.evil.example/",
    "https://img.example.com%2eevil.example/",
    "https://img%2eexample.com/",
    "https://img.example.com./",
    "https://.img.example.com/",
    "https://img..example.com/",
    "https://sub.img.example.com/",
    "https://img.example.com:80/",
    "https://img.example.com:8443/",
    "https://img.example.com:/",
    "https://img.example.com:0443/",
    "https://img.example.com:443:443/",
    "https://img.example.com:443@evil.example/",
    "https://img.example\u3002com/",
    "https://img\uff0eexample.com/",
    "https://\u0456mg.example.com/",
    "https://b\u00fccher.example/a",
    "https://\uff49mg.example.com/",
    "https://img.example.com/\u202ecat",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://0/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[0:0:0:0:0:ffff:169.254.169.254]/",
    "https://[fe80::1%25eth0]/",
    "https://[64:ff9b::a00:1]/",
    "https://169.254.169.254/latest/meta-data/",
    "https://10.0.0.1/",
    "https://localhost/",
    "https://metadata.google.internal/",
    "https://engine.default.svc.cluster.local/",
    "file:///etc/passwd",
    "ftp://img.example.com/",
    "s3://bucket/key",
    "gopher://img.example.com/",
    "javascript:alert(1)",
    "DATA:image/png;base64,AAAA",
    " data:image/png;base64,AAAA",
    "",
    "https://",
    "https://img.example.com/" + "a" * 2048,
    "data:" + "A" * MOST_DATA_URL,
)
HTTP: Any = (
    "http://10.0.0.1/a",
    "https://evil.example/a",
    "\x01 https://evil.example/a",
    "file:///a",
    "//evil.example/a",
)


@pytest.mark.parametrize("url", TAKEN)
def test_what_is_named_is_taken_as_it_is(url: str) -> None:
    assert why_refused(url, NAMED) is None


@pytest.mark.parametrize("url", REFUSED, ids=lambda url: url[:60].encode("unicode_escape").decode())
def test_what_is_written_otherwise_is_refused(url: str) -> None:
    assert why_refused(url, NAMED)
    assert why_refused(url, NO_HOSTS)


@pytest.mark.parametrize("held", [None, 1, True, ["https://img.example.com/"], {"url": "x"}, b"data:,"])
def test_what_is_no_text_is_refused(held: object) -> None:
    assert why_refused(held, NAMED) == "must be a text"


def test_by_default_only_content_itself_is_taken() -> None:
    assert [url for url in TAKEN if why_refused(url, NO_HOSTS) is None] == [
        url for url in TAKEN if url.startswith("data:")
    ]


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "localhost", "engine", "IMG.example.com", "img.example.com.", "img.example.com:443", "*.example.com",
        "127.0.0.1", "127.1", "2130706433", "0x7f.1", "a.0x7f", "[::1]", "::1", "fe80::1", "img_1.example.com",
        "b\u00fccher.example", "-a.example.com", "a-.example.com", "a..b", "metadata.google.internal", "printer.local",
        "engine.default.svc", "engine.default.svc.cluster.local", "x.localhost", "1.0.0.127.in-addr.arpa", "router.lan",
        "user@img.example.com", "img.example.com/a", "a" * 64 + ".com",
    ],
)  # fmt: skip
def test_a_host_that_leads_elsewhere_than_its_name_says_cannot_be_set(name: str, tmp_path: Any) -> None:
    assert why_no_host(name)
    if name.strip():
        with pytest.raises(SettingsError, match="MIZZEN_MEDIA_HOSTS: "):
            read_settings(gateway_environment(tmp_path, MIZZEN_MEDIA_HOSTS=f"img.example.com,{name}"))


def test_hosts_are_set_with_commas(tmp_path: Any) -> None:
    settings = read_settings(gateway_environment(tmp_path, MIZZEN_MEDIA_HOSTS="img.example.com, cdn.example.org,"))
    assert settings.media_hosts == {"img.example.com", "cdn.example.org"}


def a_part(url: Any, kind: str = "image_url") -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": kind, kind: url}]}]}


PLACES: list[tuple[str, Any]] = [
    ("chat.completions", lambda url: a_part({"url": url})),
    ("chat.completions", a_part),
    ("chat.completions", lambda url: a_part({"url": url}, "video_url")),
    ("chat.completions", lambda url: a_part({"url": url}, "audio_url")),
    ("chat.completions", lambda url: a_part({"data": url, "format": "wav"}, "input_audio")),
    ("chat.completions", lambda url: a_part({"file_data": url}, "file")),
    ("chat.completions", lambda url: a_part(url, "image")),
    ("chat.completions", lambda url: a_part([url], "image")),
    ("chat.completions", lambda url: a_part(["data:,", url], "video")),
    ("chat.completions", lambda url: a_part([{"url": url}], "image")),
    ("chat.completions", lambda url: a_part([[url]], "images")),
    ("chat.completions", lambda url: {**a_part("data:,"), "multi_modal_data": {"images": [url]}}),
    ("chat.completions", lambda url: {"messages": [{"role": "user", "content": [{"type": "image", "url": url}]}]}),
    ("chat.completions", lambda url: {"messages": [{"role": "user", "content": [{"type": "video", "path": url}]}]}),
    ("responses", lambda url: {"input": [{"type": "input_image", "url": url}]}),
    ("chat.completions", lambda url: {**a_part("data:,"), "image_url": url}),
    ("chat.completions", lambda url: {**a_part("data:,"), "extra": {"deep": [{"image_url": {"url": url}}]}}),
    ("responses", lambda url: {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": url}]}]}),
    ("responses", lambda url: {"input": [{"role": "user", "content": [{"type": "input_file", "file_url": url}]}]}),
    ("embeddings", lambda url: a_part({"url": url})),
    ("classify", lambda url: a_part({"url": url})),
    (
        "rerank",
        lambda url: {"query": "q", "documents": {"content": [{"type": "image_url", "image_url": {"url": url}}]}},
    ),
    ("score", lambda url: {"data_1": "q", "data_2": {"content": [{"image_url": {"url": url}}]}}),
]


@pytest.mark.parametrize("place", range(len(PLACES)))
def test_a_url_is_found_wherever_an_engine_would_look(place: int) -> None:
    action, body = PLACES[place]
    check = OPERATIONS[action].check
    for url in HTTP:
        refusal = first_refusal(check, {"model": "m", **body(url)}, NAMED)
        assert refusal is not None, url
        assert (refusal.status, refusal.code) == (400, "url_not_allowed")
    for url in ("https://img.example.com/cat.png", "data:image/png;base64,AAAA"):
        assert first_refusal(check, {"model": "m", **body(url)}, NAMED) is None
    assert first_refusal(check, {"model": "m", **body("https://img.example.com/cat.png")}) is not None


def test_content_that_is_no_url_passes() -> None:
    check = OPERATIONS["chat.completions"].check
    for body in (a_part({"data": "UklGRg==", "format": "wav"}, "input_audio"), a_part({"file_id": "file_1"}, "file")):
        assert first_refusal(check, {"model": "m", "audio": {"voice": "a", "format": "wav"}, **body}) is None


def test_a_url_that_is_cited_is_no_media() -> None:
    said = {"role": "assistant", "content": [{"type": "output_text", "annotations": [
        {"type": "url_citation", "url": "http://news.example/", "title": "t"}
    ]}]}  # fmt: skip
    assert first_refusal(OPERATIONS["responses"].check, {"model": "m", "input": [said]}) is None
    assert media_in({"input": [said]}) is None
    assert media_in({"input": [{"type": "input_image", "url": "data:,"}]}) is not None


def test_media_in_lists_however_deep_is_looked_at() -> None:
    deep: Any = "http://10.0.0.1/"
    for _ in range(900):
        deep = [deep]
    assert first_refusal(OPERATIONS["chat.completions"].check, {"model": "m", **a_part(deep, "image")}) is not None


INSIDE = "http://10.0.0.1/x"
HELD = (
    INSIDE,
    [INSIDE],
    {"url": INSIDE},
    [{"url": INSIDE}],
    [[INSIDE]],
    {"path": "/etc/passwd"},
    [{"path": "file:///x"}],
)
FIELDS = (
    "image_url",
    "image",
    "images",
    "audio",
    "video_url",
    "file_url",
    "audio_url",
    "input_image",
    "file",
    "image_data",
)
ASKED: dict[str, dict[str, Any]] = {
    "chat.completions": {"messages": [{"role": "user", "content": "x"}]},
    "embeddings": {"input": "x"},
    "rerank": {"query": "x", "documents": ["a"]},
    "images.generations": {"prompt": "x"},
}


@pytest.mark.parametrize("operation", sorted(ASKED))
@pytest.mark.parametrize("field", FIELDS)
def test_a_url_under_a_medias_name_is_refused_at_the_top_of_a_body_too(operation: str, field: str) -> None:
    kind = OPERATIONS[operation]
    for held in HELD:
        if field not in {"image_url", "video_url", "file_url", "audio_url", "input_image"} and "path" in str(held):
            continue
        body = {"model": "m", **ASKED[operation], field: held}
        refusal = first_refusal(kind.check, body, NAMED)
        assert refusal is not None, held
        assert (refusal.code, refusal.param) == ("url_not_allowed", f"body.{field}"), held
        assert media_in(body) == field


@pytest.mark.parametrize("held", ["data:,x", ["data:,x"], {"url": "data:,x"}, [{"url": "https://img.example.com/a"}]])
@pytest.mark.parametrize("field", ["image_url", "images", "image_data"])
def test_content_under_a_medias_name_passes_but_has_no_bound(field: str, held: Any) -> None:
    body = {"model": "m", **ASKED["embeddings"], field: held}
    assert first_refusal(OPERATIONS["embeddings"].check, body, NAMED) is None
    assert media_in(body) == field


def test_how_sound_is_to_be_made_is_no_sound() -> None:
    body = {"model": "m", **ASKED["chat.completions"], "audio": {"voice": "low", "format": "wav"}}
    assert first_refusal(OPERATIONS["chat.completions"].check, body, NAMED) is None
    assert media_in(body) is None


def test_a_source_of_a_part_is_looked_at() -> None:
    part: dict[str, Any] = {"type": "image", "source": {"type": "url", "url": INSIDE}}
    body = {"model": "m", "messages": [{"role": "user", "content": [part]}]}
    refusal = first_refusal(OPERATIONS["chat.completions"].check, body, NAMED)
    assert refusal is not None
    assert refusal.param == "messages[0].content[0].source.url"
    part["source"] = {"type": "base64", "data": "AA=="}
    assert first_refusal(OPERATIONS["chat.completions"].check, body, NAMED) is None
    assert media_in(body) == "messages[0].content[0].source"
