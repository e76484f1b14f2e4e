"""Reads one page of HTML and writes it as PDF; a process of its own (console.intake.pdf), which imports nothing of ours."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

STATIC = Path(__file__).parent / "static"
BASE = "file:///"  # what an address of a page is read from; nothing is opened there
SHEET = re.compile(r"file:///static/(print(?:-[a-z0-9]+)?)\.[0-9a-f]{16}\.css")
NICENESS = 5
NO_LIBRARY = 3


def main() -> int:
    """0, or why there is nothing."""
    os.nice(NICENESS)
    try:
        from weasyprint import HTML  # noqa: PLC0415 - whether it is there at all is what is found out
        from weasyprint.urls import URLFetcher, URLFetcherResponse  # noqa: PLC0415
    except (ImportError, OSError):  # of Pango: cffi raises OSError
        return NO_LIBRARY

    class OwnSheets(URLFetcher):  # type: ignore[misc] # it ships no types
        """Our style sheets for paper, by the names pages call them; nothing else, wherever it is."""

        def fetch(self, url: str, headers: Mapping[str, str] | None = None) -> URLFetcherResponse:
            del headers
            return URLFetcherResponse(url, sheet_of(url), {"Content-Type": "text/css; charset=utf-8"})

    page: Any = HTML(string=sys.stdin.buffer.read().decode(), base_url=BASE, url_fetcher=OwnSheets())
    sys.stdout.buffer.write(page.write_pdf(pdf_variant="pdf/ua-1"))
    return 0


def sheet_of(url: str) -> bytes:
    """What is behind an address.

    Raises:
        ValueError: it is none of our style sheets for paper.
    """
    found = SHEET.fullmatch(url)
    if found is None:
        raise ValueError("a page of ours asks for its style sheets only")
    return (STATIC / f"{found[1]}.css").read_bytes()


if __name__ == "__main__":
    sys.exit(main())
