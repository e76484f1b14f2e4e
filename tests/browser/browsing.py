"""Debian's Chromium under Playwright, axe-core to judge what it shows, and pictures for whoever wants to look."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

from aiohttp import web
from playwright.async_api import Browser, ConsoleMessage, Frame, Page, async_playwright, expect

from tests.debian import provide
from tests.node import install

HERE = Path(__file__).parent
LOOPBACK = "127.0.0.1"
PATIENCE_MS = 60_000  # only says that it ended: a busy machine is not at fault
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
# Chromium itself writes this line for every answer above 399, whatever the page does with it.
ANSWERED = re.compile(r"Failed to load resource: the server responded with a status of [45]\d\d ")


def executable() -> str:
    """Debian's Chromium, and the letters of Vietnam and Cambodia."""
    fonts = Path("/usr/share/fonts/truetype")
    provide("fonts-noto-core", lambda: True if (fonts / "noto").is_dir() else None, "Vietnamese letters")
    provide("fonts-khmeros", lambda: next(fonts.glob("khmeros*"), None), "Khmer letters")
    return provide("chromium", lambda: shutil.which("chromium"), "a browser")


@asynccontextmanager
async def chromium(*arguments: str) -> AsyncIterator[Browser]:
    """A browser of its own; `arguments` are Chromium's, such as --host-resolver-rules=…"""
    program = await asyncio.to_thread(executable)
    expect.set_options(timeout=PATIENCE_MS)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=list(arguments))
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def page_with(browser: Browser, *, allowed: Sequence[str] = (), **options: Any) -> AsyncIterator[Page]:
    """An empty page in a context of its own, which must stay quiet: no console message and no error in a script.

    `allowed`: patterns (searched for) of the lines that this test expects; each of them must come. `options` are those
    of Browser.new_context: viewport, locale, java_script_enabled, forced_colors …
    """
    context = await browser.new_context(**options)
    page, said = await context.new_page(), list[str]()
    page.on("console", lambda message: said.append(_line(message)))
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    try:
        yield page
        quiet(said, allowed)
    finally:
        await context.close()


def quiet(said: Sequence[str], allowed: Sequence[str] = ()) -> None:
    """Nothing was said but what is allowed, and all that is allowed was said.

    Raises:
        AssertionError: with the lines.
    """
    unexpected = [
        line for line in said if not ANSWERED.search(line) and not any(re.search(each, line) for each in allowed)
    ]
    missing = [each for each in allowed if not any(re.search(each, line) for line in said)]
    assert not unexpected, "the console is not empty:\n" + "\n".join(unexpected)
    assert not missing, f"the console never said {missing}, only {list(said)}"


async def axe(page: Page | Frame) -> list[str]:
    """What axe-core finds wrong, one line each; empty is good. Works under any CSP, sees into open shadow roots."""
    await page.evaluate(await asyncio.to_thread(_axe_source))
    result = await page.evaluate(
        "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}, resultTypes: ['violations']})", list(RULES)
    )
    return [
        f"{violation['id']} ({violation['impact']}): {node['target']} {node['failureSummary']}"
        for violation in result["violations"]
        for node in violation["nodes"]
    ]


async def shot(page: Page, name: str) -> Path:
    """A picture of the whole page, `name`.png in the folder that SHOTS names, else a temporary one."""
    path = shots() / f"{name}.png"
    await page.screenshot(path=path, full_page=True, animations="disabled")
    return path


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    """The address of a server of `app` on a free port of the loopback, without a closing slash."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, LOOPBACK, 0).start()
        yield f"http://{LOOPBACK}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _line(message: ConsoleMessage) -> str:
    return f"{message.type}: {message.text} ({message.location.get('url', '')})"


@cache
def _axe_source() -> str:
    return (install(HERE, "axe-core") / "axe.min.js").read_text()


@cache
def shots() -> Path:
    """The folder for pictures."""
    # A gateway takes every TRACUU_… for a setting and refuses to start with one it does not know.
    named = os.environ.get("SHOTS") or os.environ.get("TRACUU_SHOTS")
    folder = Path(named) if named else Path(tempfile.mkdtemp(prefix="tracuu-shots-"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
