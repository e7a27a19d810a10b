"""People sign in at an OpenID provider: by a browser, and with the ID token that the command line got."""

import secrets
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from support.controlplane import ControlPlane
from support.identity_provider import AUDIENCE, CLIENT, DEVICE_CLIENT, IdentityProvider
from support.plain_http import NOBODY

START, EXCHANGE = "/auth/providers/company/start", "/auth/providers/company/exchange"


@pytest.fixture
def browser(controlplane: ControlPlane, provider: IdentityProvider) -> Iterator[httpx.Client]:
    """Of a person whom the provider knows and who was never here."""
    provider.person = {"sub": f"ada-{secrets.token_hex(4)}", "name": "Ada", "groups": ["builders"]}
    provider.id_claims = {}
    with visitor(controlplane) as client:
        yield client


def visitor(plane: ControlPlane) -> httpx.Client:
    return httpx.Client(base_url=plane.url, trust_env=False, verify=NOBODY, timeout=30)


def back_from_provider(browser: httpx.Client, provider: IdentityProvider, return_to: str = "") -> str:
    """Where the provider sends the browser, after its person said yes."""
    sent = browser.get(START, params={"return_to": return_to})
    assert sent.status_code == 303, sent.text
    query = {name: values[0] for name, values in parse_qs(urlsplit(sent.headers["Location"]).query).items()}
    assert (query["response_type"], query["code_challenge_method"]) == ("code", "S256")
    return provider.authorize(query)


def test_a_browser_signs_in_without_any_role(browser: httpx.Client, provider: IdentityProvider) -> None:
    url = back_from_provider(browser, provider, "/docs?page=1")
    done = browser.get(url)
    assert (done.status_code, done.headers["Location"]) == (303, "/docs?page=1")
    assert [name for name in browser.cookies if "sign-in" in name] == []
    me = browser.get("/api/v1/me").json()
    assert (me["name"], me["groups"], me["permissions"]) == ("Ada", ["builders"], ["self"])
    assert browser.get("/api/v1/persons").status_code == 403
    assert browser.post("/auth/sign-out").json()["code"] == "csrf_token_needed"
    assert browser.post("/auth/sign-out", headers={"X-CSRF-Token": me["csrf_token"]}).status_code == 204
    assert browser.get("/api/v1/me").status_code == 401
    again = browser.get(url)  # state and code of before
    assert (again.status_code, again.json()["code"]) == (403, "no_such_attempt")


def test_who_joins_a_group_of_the_settings_manages_and_who_leaves_it_does_not(
    browser: httpx.Client, provider: IdentityProvider
) -> None:
    for groups, manages in ((["platform"], True), ([], False)):
        provider.person["groups"] = groups
        assert browser.get(back_from_provider(browser, provider)).status_code == 303
        assert ("manage" in browser.get("/api/v1/me").json()["permissions"]) is manages


def test_an_attempt_is_finished_by_the_browser_that_began_it(
    controlplane: ControlPlane, browser: httpx.Client, provider: IdentityProvider
) -> None:
    attackers = back_from_provider(browser, provider)
    with visitor(controlplane) as victim:
        assert victim.get(attackers).json()["code"] == "no_such_attempt"
        own = back_from_provider(victim, provider)
        code = parse_qs(urlsplit(attackers).query)["code"][0]
        mixed = victim.get(str(httpx.URL(own).copy_set_param("code", code)))
        assert (mixed.status_code, mixed.json()["code"]) == (401, "token_refused")  # PKCE
        assert victim.get("/api/v1/me").status_code == 401
    with visitor(controlplane) as victim:
        own = back_from_provider(victim, provider)
        wrong = str(httpx.URL(own).copy_set_param("state", "x" * 43))
        assert victim.get(wrong).json()["code"] == "no_such_attempt"


@pytest.mark.parametrize(
    "claims",
    [{"nonce": "of-another-attempt"}, {"aud": "another"}, {"azp": "another"}, {"aud": AUDIENCE},
     {"iss": "https://elsewhere.example.com"}, {"exp": 1_700_000_000}],
    ids=str,
)  # fmt: skip
def test_an_id_token_of_something_else_signs_nobody_in(
    browser: httpx.Client, provider: IdentityProvider, claims: dict[str, object]
) -> None:
    provider.id_claims = claims
    answer = browser.get(back_from_provider(browser, provider))
    assert (answer.status_code, answer.json()["code"]) == (401, "token_refused")


def test_an_answer_of_another_provider_or_a_refusal_signs_nobody_in(
    browser: httpx.Client, provider: IdentityProvider
) -> None:
    url = httpx.URL(back_from_provider(browser, provider))
    for other in (url.copy_set_param("iss", "https://elsewhere.example.com"), url.copy_remove_param("iss")):
        assert browser.get(other).json()["code"] == "token_refused"
    denied = browser.get(url.copy_remove_param("code").copy_set_param("error", "access_denied"))
    assert (denied.status_code, denied.json()["code"]) == (403, "sign_in_refused")


@pytest.mark.parametrize("elsewhere", ["https://evil.example.com", "//evil.example.com", "/\\evil.example.com", "x"])
def test_nobody_is_sent_elsewhere(browser: httpx.Client, provider: IdentityProvider, elsewhere: str) -> None:
    assert browser.get(back_from_provider(browser, provider, elsewhere)).headers["Location"] == "/api/v1/me"


def test_an_id_token_begins_one_session_of_the_command_line(
    controlplane: ControlPlane, browser: httpx.Client, provider: IdentityProvider
) -> None:
    for wrong in (provider.id_token(CLIENT), provider.id_token(AUDIENCE), provider.token(sub="robot"), "no token"):
        assert browser.post(EXCHANGE, json={"id_token": wrong}).json()["code"] == "token_refused"
    given = {"id_token": provider.id_token(DEVICE_CLIENT)}
    answer = browser.post(EXCHANGE, json=given)
    assert answer.status_code == 200, answer.text
    token = {"Authorization": f"Bearer {answer.json()['token']}"}
    assert browser.get("/api/v1/me", headers=token).json()["name"] == "Ada"
    again = browser.post(EXCHANGE, json=given)
    assert (again.status_code, again.json()["code"]) == (401, "token_refused")
    assert given["id_token"] not in controlplane.log
    assert browser.get("/api/v1/sessions", headers=token).json()["items"][0]["provider"] == "company"


def test_there_are_ways_to_sign_in_by_browser_and_command_line(
    browser: httpx.Client, provider: IdentityProvider
) -> None:
    company, local = browser.get("/auth/ways").json()["items"]
    assert (company["name"], company["issuer"], company["device_client_id"]) == ("company", provider.url, DEVICE_CLIENT)
    assert (company["browser"], company["device"], local["name"]) == (True, True, "local")
    assert browser.get("/auth/providers/nobody/start").status_code == 404
