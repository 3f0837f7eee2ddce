"""The console in Debian's chromium before a million calls: paging, search, and no page that is too much."""

from statistics import quantiles

import pytest
from playwright.async_api import Browser as Chromium
from playwright.async_api import Response, expect

from tests.bench.large_ledger import fill
from tests.console.chromium import signed_in
from tests.console.conftest import Console

CALLS = 1_000_000
A_PAGE = 50
MOST_BYTES = 200_000


@pytest.mark.load
async def test_a_million_calls_are_paged_and_searched(chromium: Chromium, console: Console, redis_url: str):
    """By what a person clicks and types; each answer is 200 KB at most."""
    await fill(redis_url, calls=CALLS)
    page = await signed_in(chromium, console)
    pages: list[Response] = []
    page.on("response", lambda answer: pages.append(answer) if answer.request.resource_type == "document" else None)

    await page.get_by_role("link", name="Calls", exact=True).click()
    await page.wait_for_url("**/calls")
    seen: list[str] = []
    for _ in range(5):
        seen += await page.locator("tbody th a").all_inner_texts()
        async with page.expect_navigation():
            await page.get_by_role("link", name="Older").click()
    copied = [int(call_id) for call_id in seen if call_id < "199"]  # three more are those that were copied
    assert [CALLS + 100_000_000 - 1 - place for place in range(len(copied))] == copied
    assert len(copied) > 2 * A_PAGE

    number = 777_777
    for asked in (f"1{number:08}", f"0061400{number:06}", f"{number:06}"):
        await page.get_by_label("Id or caller").fill(asked)
        async with page.expect_navigation():
            await page.get_by_role("button", name="Search").click()
        await expect(page.get_by_role("link", name=f"1{number:08}", exact=True)).to_be_visible()

    await page.get_by_label("Id or caller").fill("")
    await page.get_by_label("Service").fill("107")
    await page.get_by_label("Result").select_option("busy")
    async with page.expect_navigation():
        await page.get_by_role("button", name="Search").click()
    found = await page.locator("tbody th a").all_inner_texts()
    assert A_PAGE == len(found)
    assert {(int(call_id[1:]) * 7) % 50 for call_id in found} == {7}

    await page.get_by_role("link", name=found[0], exact=True).click()
    await expect(page.get_by_role("heading", name=f"Call {found[0]}")).to_be_visible()
    sizes = [(await response.request.sizes())["responseBodySize"] for response in pages]
    took_ms = [response.request.timing["responseEnd"] for response in pages]
    print(f"{len(pages)} pages, the largest of {max(sizes)} bytes, p95 {quantiles(took_ms, n=20)[-1]:.0f} ms")
    assert max(sizes) <= MOST_BYTES
