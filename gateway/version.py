"""Which version this is."""

from __future__ import annotations

import importlib.metadata


def installed_version() -> str | None:
    """None: it runs from a checkout that is not installed."""
    try:
        return importlib.metadata.version("tracuu-gateway")
    except importlib.metadata.PackageNotFoundError:  # nothing to mend: a checkout has no version
        return None
