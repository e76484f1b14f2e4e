"""`python -m tests.golden` prints the golden table as docs/typed-messages.md."""

from __future__ import annotations

from tests.golden import PAGE, page

if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
