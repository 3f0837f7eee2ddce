"""What a caller, a vendor or whoever knows a token has written is text on every page, whatever it is."""

import itertools

import pytest
from playwright.async_api import Browser as Chromium
from playwright.async_api import Page

from tests.console.chromium import signed_in
from tests.console.conftest import Console
from worker.ledger import admin
from worker.ledger.records import Verdict

RAN = "window.ran=(window.ran||0)+1"
MARKUP = [
    f"<script>{RAN}</script>", f"<img src=x onerror='{RAN}'>", f"<svg onload='{RAN}'>", f'"><script>{RAN}</script>',
    f"' autofocus onfocus='{RAN}' x='", f"javascript:{RAN}", f"</textarea><script>{RAN}</script>",
    f'<iframe srcdoc="<script>parent.{RAN}</script>">', f"<a href='javascript:{RAN}'>click</a>",
    f"<details open ontoggle='{RAN}'>",
    "<style>@import 'http://203.0.113.9/x.css';*{display:none}</style>", "<base href='http://203.0.113.9/'>",
    "<meta http-equiv=refresh content='0;url=http://203.0.113.9/'>", "<link rel=stylesheet href=//203.0.113.9/a.css>",
    "<plaintext>", "<!--", "]]>", "</title></head><body>",
    "<form action=//203.0.113.9><input name=form_token>", "<table><tr><td>",
    "{{ 7 * 7 }}", "{% for a in b %}", "${7*7}", "<%= 7 %>", "#{7*7}",
    "&lt;script&gt;", "&#60;script&#62;", "%3Cscript%3E",
    "<math><mi//xlink:href='data:x,<script>1</script>'>", "\\u003cscript\\u003e",
    "<b>bold</b>", "</main></body></html>",
]  # fmt: skip
MARKS = [
    "\u202egnp.exe", "\u2066left\u2069", "\u200f\u200fright", "\u061cmark", "\ufeffbom", "a\u0300" * 60, "\u0e47" * 80,
    "\u200b" * 50 + "hidden", "مرحبا بالعالم", "שלום", "\u2028line\u2029end", "🏳️‍🌈👩‍👩‍👧‍👦" * 9,
    "\ufff9note\ufffb", "\U000e0041tag",
]  # fmt: skip
ESCAPES = [
    "\x1b[31mred\x1b[0m", "\x1b]8;;http://203.0.113.9/\x07link\x1b]8;;\x07", "\x1b[2J\x1b[H", "\x9b31m", "\x07\x07bell",
    "\x08\x08\x08back", "\rover", "nul\x00byte", "\x1bP+q544e\x1b\\", "\x7f\x7f", "\x0bdown\x0c", "tab\tand\nline",
]  # fmt: skip
WORDS = ["W" * 10_000, "i" * 10_000, "字" * 5_000, "a-" * 5_000, "\u00ad" * 3_000, "long " * 2_000]
KINDS = [*MARKUP, *MARKS, *ESCAPES, *WORDS]
AROUND = [
    ("", ""), ("x ", " y"), ('"', '"'), ("'>", "<'"), ("%00", "\u202d"), ("<b ", ">"), ("a=", "&b=c"), ("`", "`"),
]  # fmt: skip
TEXTS = [f"{one}{text}{two}" for (one, two), text in itertools.islice(itertools.product(AROUND, KINDS), 500)]
NAMED = ("Dealer_Name", "Keywords_Searched", "City", "RecordingFile", "Landing_Page", "URL")
PAGES = (
    "/", "/calls", "/dead", "/quarantine", "/report?by=service", "/audit", "/destinations/dialler", "/suppressed",
)  # fmt: skip
ROUND = 50  # as many as a page of calls


def an_id(number: int, text: str) -> str:
    """Return a call's id that holds what an id may hold of a text."""
    usable = "".join(c if c.isprintable() else "?" for c in text).strip()
    return f"{number}-{usable}"[:100].strip()


async def bring_in(console: Console, number: int, text: str) -> str:
    """Bring a call in whose every free value is the text, and have the dialler refuse it with that text."""
    call_id = an_id(number, text)
    named = {f"PLA_{name}": text for name in NAMED}
    await console.book.call(call_id, result="Unanswered", **named)
    await console.book.end("dialler", Verdict.DEAD, reason="rejected", reply=text[:2000], payload=text[:2000])
    await admin.suppress(console.session.ledger, "+61491570156")
    body = f'{{"PLA_Call_Id": {text}'.encode("utf-8", "replace")
    await console.session.ledger.quarantine(body, reason=text[:100], path_kind="create", received_us=number)
    return call_id


async def look(page: Page, said: list[str], path: str, *, width: int) -> None:
    """Open a page: nothing ran, nothing was asked for elsewhere, nothing is wider than the window or out of place."""
    await page.goto(path)
    await page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert await page.evaluate("window.ran") is None, path
    assert await page.evaluate("document.documentElement.scrollWidth") <= width, path
    frame = "body > main, header > nav, body > footer"
    assert 3 == await page.evaluate(f"document.querySelectorAll('{frame}').length"), path
    foreign = "iframe, base, main style, main script, main meta, main link"
    assert 0 == await page.evaluate(f"document.querySelectorAll('{foreign}').length"), path
    assert said == [], path


@pytest.mark.load
async def test_500_hostile_texts_are_text(chromium: Chromium, console: Console) -> None:
    """As names, values, replies, ids, bodies and searches, on every page, at the width of a telephone."""
    assert len(TEXTS) == 500
    width = 400
    page = await signed_in(chromium, console, viewport={"width": width, "height": 900})
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("dialog", lambda dialog: said.append(f"dialog {dialog.message}"))
    page.on(
        "request", lambda request: None if request.url.startswith((console.base, "data:")) else said.append(request.url)
    )
    ids: list[str] = []
    for number, text in enumerate(TEXTS):
        ids.append(await bring_in(console, number, text))
        if len(ids) % ROUND == 0:
            for path in PAGES:
                await look(page, said, path, width=width)
    hrefs: list[str] = []
    await page.goto("/calls")
    while True:
        hrefs += await page.evaluate("[...document.querySelectorAll('tbody th a')].map(a => a.getAttribute('href'))")
        older = await page.query_selector("a[rel=next]")
        if older is None:
            break
        await page.goto(str(await older.get_attribute("href")))
    assert len(hrefs) == len(set(hrefs)) == 500
    for href in hrefs:
        await look(page, said, href, width=width)
        assert "Given up for dialler" in await page.inner_text("#standing"), href
    for text in TEXTS[::10]:
        await page.goto("/calls")
        field = page.get_by_label("Id or caller")
        await field.fill(text.replace("\n", " ")[: int(await field.get_attribute("maxlength") or 0)])
        await page.get_by_role("button", name="Search").click()
        assert await page.evaluate("window.ran") is None
    assert said == []
