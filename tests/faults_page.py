"""`python -m tests.faults_page` prints the table of faults as docs/source-faults.md."""

from __future__ import annotations

from tests.onestop.faults import PAGE, page

if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
