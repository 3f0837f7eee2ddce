"""Debian's chromium, one for all tests of a file, and windows in it that have signed in.

axe-core is asked for by npm; without it, or without chromium, tests are skipped on a laptop and fail in CI.
"""

import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser as Chromium
from playwright.async_api import Page, expect

AXE = "axe-core@4.10.3"
BEGINS_S = 30.0


def missing(what: str) -> None:
    """Skip on a laptop; in CI nothing is missing."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is not there")
    pytest.skip(f"{what} is not there")


@contextmanager
def running_chromium(folder: Path) -> Iterator[str]:
    """Run a browser without a window; return the address by which Playwright speaks with it."""
    binary = shutil.which("chromium")
    if binary is None:
        missing("chromium")
    command = [
        str(binary), "--headless=new", "--no-sandbox", "--remote-debugging-port=0", f"--user-data-dir={folder}",
        "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-background-networking",
        "--disable-dev-shm-usage", "about:blank",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        said, deadline = folder / "DevToolsActivePort", time.monotonic() + BEGINS_S
        while not (said.exists() and said.read_text().count("\n")):
            assert process.poll() is None, "chromium ended"
            assert time.monotonic() < deadline, "chromium does not start"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{said.read_text().splitlines()[0]}"
    finally:
        process.terminate()
        process.wait(10)


def axe_source(folder: Path) -> str:
    """Return the source of axe-core, as npm has it."""
    npm = shutil.which("npm")
    packed = npm and subprocess.run(
        [npm, "pack", "--silent", AXE], cwd=folder, capture_output=True, timeout=60, check=False
    )
    found = next(folder.glob("*.tgz"), None)
    if not packed or found is None:
        missing("axe-core")
    with tarfile.open(found) as archive:
        member = archive.extractfile("package/axe.min.js")
        return member.read().decode() if member else ""


async def signed_in(chromium: Chromium, console: Any, name: str = "ann", **options: Any) -> Page:
    """Open a window and sign in by the form."""
    context = await chromium.new_context(base_url=console.base, timezone_id="Australia/Sydney", **options)
    page = await context.new_page()
    await page.goto("/")
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("Password").fill(console.password)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", name="Now", exact=True)).to_be_visible()
    return page
