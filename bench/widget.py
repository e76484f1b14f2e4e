"""`python -m bench.widget`: what the widget weighs, and how long a cheap telephone on 3G waits for it and for an answer.

Debian's Chromium is slowed down sixfold and its network is made a "Fast 3G"; the gateway and the agency's page are real,
and every visitor comes with an empty cache. Beside it stands what the same takes on this machine as it is.
"""

from __future__ import annotations

import asyncio
import gzip
import math
import os
import random
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from statistics import median

import aiohttp
import click
from playwright.async_api import Page
from rich.console import Console
from rich.table import Table

from channels.web.snippets import snippets
from channels.web.widget_files import HERE, WidgetFiles, read_releases
from tests.whole.scene import Scene, scene

CODE = "000.00.18.H51-161220-0001"
NOBODYS = "H51.18-2506{day:02}-0900"  # of many days: who walks through those of one is told nothing any more
MISSES = 3  # of one address; then a proof of work comes first
SLOWER = 6  # times
# Chromium's own "Fast 3G": bytes a second, less what the protocols below take off; milliseconds to and fro.
FAST_3G = {"offline": False, "downloadThroughput": 180_000, "uploadThroughput": 84_375, "latency": 562.5}
RATHER_LATE = 0.95

# Before anything of the page runs: when the parser has come to the script tag, and when the field takes the focus.
WATCH = """
const watch = new MutationObserver(() => {
  if (!document.querySelector("script[src]")) return;
  watch.disconnect();
  globalThis.tagAt = performance.now();
});
watch.observe(document, { childList: true, subtree: true });
const look = () => {
  const field = document.querySelector("dossier-status")?.shadowRoot?.querySelector("#code");
  field?.focus();
  if (field && field.getRootNode().activeElement === field) globalThis.usableAt = performance.now();
  else requestAnimationFrame(look);
};
look();
"""
# Milliseconds from the submit until the answer stands there, and what it was.
ASK = """
async (code) => {
  const root = document.querySelector("dossier-status").shadowRoot;
  root.querySelector("#code").value = code;
  const before = performance.now();
  root.querySelector("form").requestSubmit();
  while (!root.querySelector("#said .result")) await new Promise(requestAnimationFrame);
  return [performance.now() - before, root.querySelector("#said").textContent];
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """Of one visitor, in milliseconds."""

    usable: float
    answered: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """How somebody comes: `slow`, suspected so that a `work` comes first, and to the site `named` on http."""

    slow: bool
    work: bool = False
    named: bool = False


KINDS: Mapping[str, tuple[str, Mapping[str, bool]]] = {
    "script tag to usable": ("usable", {}),
    "submit to answer": ("answered", {}),
    "the same after a proof of work": ("answered", {"work": True}),
    "and on a page of http://": ("answered", {"work": True, "named": True}),
}


async def visit(there: Scene, visitor: Visitor) -> Visit:
    """One of them, from the site's page to the answer."""
    at = there.named if visitor.named else there.site
    context = await there.browser.new_context()
    try:
        there.front.somebody_else()
        if visitor.work:
            await miss(there)
        page = await context.new_page()
        posts: list[str] = []
        page.on("request", lambda request: posts.append(request.method) if request.method == "POST" else None)
        if visitor.slow:
            await slow_down(page)
        await page.add_init_script(WATCH)
        await page.goto(at)
        await page.wait_for_function("() => globalThis.usableAt")
        usable = await page.evaluate("() => usableAt - tagAt")
        answered, said = await page.evaluate(ASK, CODE)
        if CODE not in said or bool(posts) is not visitor.work:
            raise RuntimeError(f"the answer was {said!r}, with {len(posts)} proofs of work")
        return Visit(usable=usable, answered=answered)
    finally:
        await context.close()


async def miss(there: Scene) -> None:
    """As often as makes the visitor's address suspect."""
    async with aiohttp.ClientSession() as http:
        for day in random.sample(range(1, 31), MISSES):
            url = f"{there.front.origin}/api/v1/dossiers/{NOBODYS.format(day=day)}"
            async with http.get(url) as answer:
                if answer.status != HTTPStatus.NOT_FOUND:
                    raise RuntimeError(f"a code nobody has was answered {answer.status}")


async def slow_down(page: Page) -> None:
    """To a telephone on 3G."""
    session = await page.context.new_cdp_session(page)
    await session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    await session.send("Network.enable")
    await session.send("Network.emulateNetworkConditions", FAST_3G)


Visits = Mapping[tuple[bool, bool, bool], Sequence[Visit]]


async def measure(folder: Path, visits: int) -> Visits:
    """Every kind of visitor in turn, the first round not counted."""
    kinds = [
        Visitor(slow=slow, **told)
        for slow in (True, False)
        for told in ({}, {"work": True}, {"work": True, "named": True})
    ]
    done: dict[tuple[bool, bool, bool], list[Visit]] = {_kind(each): [] for each in kinds}
    async with scene(folder) as there:
        there.put(snippets(there.place())["tags"])
        for each in kinds:
            await visit(there, each)
        for _ in range(visits):
            for each in kinds:
                done[_kind(each)].append(await visit(there, each))
    return done


def _kind(visitor: Visitor) -> tuple[bool, bool, bool]:
    return visitor.slow, visitor.work, visitor.named


def table_of_weights() -> Table:
    """The newest version's files."""
    table = Table("", "bytes", "gzip", title="What a page loads; the steps only after an answer")
    newest = WidgetFiles().newest
    for name in read_releases()[newest].files:
        body = (HERE / "dist" / newest / name).read_bytes()
        table.add_row(f"{newest}/{name}", f"{len(body):,}", f"{len(gzip.compress(body, 9, mtime=0)):,}")
    return table


def table_of_times(done: Visits, visits: int) -> Table:
    """Milliseconds, slowed down and as it is."""
    slowed = f"CPU {SLOWER}x slower, Fast 3G"
    headings = ("milliseconds", f"{slowed}: median", "p95", "this machine: median", "p95")
    table = Table(*headings, title=f"{visits} visitors of each kind, each with an empty cache")
    for name, (what, told) in KINDS.items():
        cells = []
        for slow in (True, False):
            times = [float(getattr(each, what)) for each in done[_kind(Visitor(slow=slow, **told))]]
            cells += [f"{median(times):,.0f}", f"{rather_late(times):,.0f}"]
        table.add_row(name, *cells)
    return table


def rather_late(times: Sequence[float]) -> float:
    """The time that 95 of 100 do not exceed, by the nearest rank."""
    return sorted(times)[math.ceil(RATHER_LATE * len(times)) - 1]


@click.command()
@click.option("--visits", default=10, show_default=True, help="Visitors of each kind.")
def main(visits: int) -> None:
    """Weigh the widget, and measure how long a visitor waits for it."""
    console, busy = Console(width=120), os.getloadavg()[0]
    console.print(f"{time.strftime('%Y-%m-%d %H:%M:%S')}, {os.cpu_count()} cores, load before it began {busy:.2f}")
    console.print(table_of_weights())
    with tempfile.TemporaryDirectory(prefix="tracuu-bench-") as folder:
        done = asyncio.run(measure(Path(folder), visits))
    console.print(table_of_times(done, visits))


if __name__ == "__main__":
    main()
