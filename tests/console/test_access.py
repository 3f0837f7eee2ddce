"""Who gets in, for how long, and what no other site can make a browser do."""

import asyncio

import aiohttp
import pytest
from yarl import URL

from tests.console.conftest import PASSWORD, USERS, Browser, Console, Start
from worker.ledger.sessions import MAX_WRONG, SESSION_S

PAGES = (
    "/",
    "/calls",
    "/calls?q=1&state=ready",
    "/calls/x",
    "/destinations",
    "/dead",
    "/quarantine",
    "/suppressed",
    "/live",
)
PROXY = '[console]\ntrusted_header = "X-Forwarded-User"\nproxy_networks = ["{network}"]\n'


@pytest.mark.parametrize("path", PAGES)
async def test_nobody_sees_a_page_without_signing_in(console: Console, path: str) -> None:
    """Every page sends a stranger to sign in, and back to where the stranger wanted to go."""
    browser = await console.browser()

    response = await browser.get(path, status=303)

    place = URL(response.headers["Location"])
    assert (place.path, dict(place.query)) == ("/login", {"next": path})


async def test_the_api_asks_a_stranger_for_a_password(console: Console) -> None:
    """The API answers 401 in JSON, and without a challenge that would make a browser keep the password."""
    browser = await console.browser()

    response = await browser.get("/api/v1/calls", status=401)

    assert "WWW-Authenticate" not in response.headers
    assert {"error"} == set(await browser.json("/api/v1/calls", status=401))


async def test_a_right_password_begins_a_session(console: Console) -> None:
    """The cookie is kept from scripts and from other sites, lives for 12 h, and leads where one wanted to go."""
    browser = await console.browser()

    form = {"name": "ann", "password": PASSWORD, "next": "/calls?q=1&state=ready"}
    response = await browser.post("/login", data=form)
    cookie = response.cookies["switchboard"]

    assert response.headers["Location"] == "/calls?q=1&state=ready"
    assert cookie["httponly"]
    assert cookie["samesite"] == "Strict"
    assert cookie["max-age"] == str(SESSION_S) == "43200"
    assert not cookie["secure"]
    await browser.get("/calls")


@pytest.mark.parametrize("place", ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "/a\r\nX: y"])
async def test_signing_in_leads_to_no_other_site(console: Console, place: str) -> None:
    """Whatever stands in ``next``, one lands at this console."""
    browser = await console.browser()

    response = await browser.post("/login", data={"name": "ann", "password": PASSWORD, "next": place})

    assert response.headers["Location"] == "/"


async def test_beyond_this_machine_the_cookie_goes_over_tls_alone(start: Start) -> None:
    """A console that listens elsewhere, or is asked by another name, marks its cookie Secure."""
    elsewhere = await (await start(host="0.0.0.0")).browser()
    behind_proxy = await (await start()).browser()

    first = await elsewhere.sign_in("ann")
    form = {"name": "ann", "password": PASSWORD}
    second = await behind_proxy.post("/login", data=form, headers={"Host": "console.example.com"})

    assert first.cookies["switchboard"]["secure"]
    assert second.cookies["switchboard"]["secure"]


async def test_a_new_sign_in_ends_the_session_before(console: Console) -> None:
    """The cookie of before is dead once the same browser has signed in again."""
    browser = await console.browser("ann")
    old = _cookies(browser)

    await browser.sign_in("ann")

    await browser.get("/calls")
    await (await console.browser()).get("/calls", status=303, cookies=old)


async def test_signing_out_ends_the_session(console: Console) -> None:
    """The cookie is dead in Redis too, not only forgotten by the browser."""
    browser = await console.browser("ann")
    old = _cookies(browser)

    await browser.act("/logout")

    await (await console.browser()).get("/calls", status=303, cookies=old)


@pytest.mark.parametrize(
    "change",
    [
        ('role = "operator"', 'role = "viewer"'),
        ('role = "operator"\n', 'role = "operator"\ndestinations = ["law"]\n'),
        ("console.users.ann", "console.users.anna"),
    ],
)
async def test_a_changed_user_signs_in_anew(console: Console, start: Start, change: tuple[str, str]) -> None:
    """A session made before the user's role, destinations or name were changed is dead."""
    old = _cookies(await console.browser("ann"))

    changed = await start(USERS.replace(*change, 1))

    await (await changed.browser()).get("/calls", status=303, cookies=old)


async def test_an_old_session_is_over(console: Console) -> None:
    """A session lives in Redis no longer than 12 h, however busy it is."""
    browser = await console.browser("ann")
    redis = console.session.ledger.redis
    [key] = await redis.keys("sb:session:*")

    first = await redis.ttl(key)
    await redis.expire(key, 100)
    await browser.get("/calls")

    assert SESSION_S - 60 < first <= SESSION_S
    assert await redis.ttl(key) <= 100
    assert _cookies(browser)["switchboard"] not in key


async def test_five_wrong_passwords_of_a_name_wait_a_minute(console: Console) -> None:
    """The sixth is not looked at, right or wrong, from whatever browser."""
    browser = await console.browser()
    for _ in range(MAX_WRONG):
        await browser.sign_in("ann", "wrong", status=401)

    response = await browser.sign_in("ann", status=429)

    assert 0 < int(response.headers["Retry-After"]) <= 60
    assert "Try again in" in browser.last


async def test_five_wrong_passwords_of_an_address_wait_a_minute(console: Console) -> None:
    """Trying one password on many names does no better."""
    browser = await console.browser()
    for number in range(MAX_WRONG):
        await browser.sign_in(f"nobody-{number}", status=401)

    await browser.sign_in("ann", status=429)


async def test_a_crowd_of_guesses_at_once_gets_no_further(console: Console) -> None:
    """Of 30 wrong passwords sent at once five are looked at."""
    browsers = [await console.browser() for _ in range(30)]

    async def guess(browser: Browser) -> int:
        form = {"name": "ann", "password": "wrong"}
        async with browser.client.post(f"{browser.base}/login", data=form, allow_redirects=False) as response:
            return response.status

    answers = await asyncio.gather(*map(guess, browsers))

    assert MAX_WRONG == answers.count(401)
    assert 30 - MAX_WRONG == answers.count(429)


async def test_the_wait_ends_by_itself(console: Console) -> None:
    """Once Redis has forgotten the wrong ones, the right one does."""
    browser = await console.browser()
    for _ in range(MAX_WRONG):
        await browser.sign_in("ann", "wrong", status=401)
    redis = console.session.ledger.redis
    keys = await redis.keys("sb:wrong:*")

    assert all([0 < await redis.ttl(key) <= 60 for key in keys])
    await redis.delete(*keys)
    await browser.sign_in("ann")


async def test_basic_opens_the_api_and_changes_without_a_token(console: Console) -> None:
    """A program sends name and password; a wrong one is told apart from none by nothing."""
    browser = await console.browser()
    right = {"Authorization": aiohttp.encode_basic_auth("vic", PASSWORD)}
    wrong = {"Authorization": aiohttp.encode_basic_auth("vic", "wrong")}

    found = await browser.json("/api/v1/session", headers=right)
    await browser.json("/api/v1/session", headers=wrong, status=401)

    assert (found["user"], found["role"]) == ("vic", "viewer")


async def test_basic_waits_after_five_wrong_ones_too(console: Console) -> None:
    """The API is no way around the rate of the form."""
    browser = await console.browser()
    right = {"Authorization": aiohttp.encode_basic_auth("ann", PASSWORD)}
    for number in range(MAX_WRONG):
        wrong = {"Authorization": aiohttp.encode_basic_auth("ann", f"wrong {number}")}
        await browser.json("/api/v1/session", headers=wrong, status=401)

    await browser.json("/api/v1/session", headers=right, status=401)


async def test_a_form_without_its_token_changes_nothing(console: Console) -> None:
    """A form that another page sends is refused: it does not know the token of this session."""
    browser = await console.browser("ann")
    others = await (await console.browser("vic")).token()

    await browser.post("/zone", status=403, data={"zone": "Australia/Perth"})
    await browser.post("/zone", status=403, data={"zone": "Australia/Perth", "form_token": others})
    await browser.post("/logout", status=403)

    await browser.get("/calls")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_another_site_signs_nobody_in_or_out(console: Console, site: str) -> None:
    """What the browser says was sent by a page of elsewhere is refused, even with a right token or password."""
    browser = await console.browser("ann")
    form = {"zone": "Australia/Perth", "form_token": await browser.token()}

    await browser.post("/zone", status=403, data=form, headers={"Sec-Fetch-Site": site})
    await browser.post(
        "/login", status=403, data={"name": "ann", "password": PASSWORD}, headers={"Sec-Fetch-Site": site}
    )


async def test_without_users_this_machine_is_the_operator(start: Start) -> None:
    """Whoever is at this machine is ``local``; there is nothing to sign in at."""
    browser = await (await start("")).browser()

    found = await browser.json("/api/v1/session")
    response = await browser.get("/login", status=303)

    assert (found["user"], found["role"]) == ("local", "operator")
    assert response.headers["Location"] == "/"


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebound.example"},
        {"Host": "127.0.0.1.rebound.example"},
        {"X-Forwarded-For": "198.51.100.7"},
        {"Forwarded": "for=198.51.100.7"},
        {"X-Real-IP": "198.51.100.7"},
        {"Via": "1.1 proxy"},
    ],
)
async def test_without_users_nobody_comes_in_from_elsewhere(start: Start, headers: dict[str, str]) -> None:
    """Neither a page that took this machine's name (DNS rebinding) nor what a proxy here passes on is ``local``."""
    browser = await (await start("")).browser()

    await browser.get("/", status=403, headers=headers)


async def test_a_proxy_names_the_user(start: Start) -> None:
    """Of the networks that are set, whoever is named and set up is let in with the role that is set up."""
    browser = await (await start(PROXY.format(network="127.0.0.0/8") + USERS)).browser()

    found = await browser.json("/api/v1/session", headers={"X-Forwarded-User": "vic"})
    await browser.get("/", status=403)
    await browser.get("/", status=403, headers={"X-Forwarded-User": "mallory"})
    await browser.get("/", status=403, headers=[("X-Forwarded-User", "vic"), ("X-Forwarded-User", "ann")])

    assert found["user"] == "vic"


async def test_whoever_is_no_proxy_names_nobody(start: Start) -> None:
    """From another network the header is nothing, and a password does not help: the proxy is the one door."""
    browser = await (await start(PROXY.format(network="10.0.0.0/8") + USERS)).browser()

    await browser.get("/", status=403, headers={"X-Forwarded-User": "ann"})
    await browser.get("/", status=403, headers={"Authorization": aiohttp.encode_basic_auth("ann", PASSWORD)})
    await browser.sign_in("ann", status=303)
    await browser.get("/", status=403)


async def test_every_answer_carries_what_keeps_others_out(console: Console) -> None:
    """Pages, files, faults and streams: only own files, in no frame, nothing kept by the browser."""
    browser = await console.browser("ann")

    answers = [
        await browser.get("/"),
        await browser.get("/nothing", status=404),
        await browser.get("/static/console.css"),
        await browser.get("/api/v1/calls"),
    ]
    async with browser.client.get(f"{browser.base}/live") as stream:
        answers.append(stream)

    for response in answers:
        assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert "unsafe" not in response.headers["Content-Security-Policy"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["X-Frame-Options"] == "DENY"
    assert [answer.headers["Cache-Control"] for answer in answers].count("no-store") == len(answers) - 1


def _cookies(browser: Browser) -> dict[str, str]:
    return {cookie.key: cookie.value for cookie in browser.client.cookie_jar}
