"""Who runs a server of a test: its programs refuse to run as root."""

from __future__ import annotations

import os
import pwd
from typing import Any


def somebody(usual: str) -> dict[str, Any]:
    """Arguments for `subprocess`: when we are root, the account Debian gives such a server, else nobody."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = names.get(usual) or names["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
