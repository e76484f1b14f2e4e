"""Makes the process out of its parts: the one package that names concrete channels and adapters."""

from __future__ import annotations

from gateway.bootstrap.checking import check
from gateway.bootstrap.looking import standing
from gateway.bootstrap.serving import serve
from gateway.bootstrap.sources import inspect_sources, list_sources
from gateway.bootstrap.store import migrate
from gateway.bootstrap.words import read_words

__all__ = ["check", "inspect_sources", "list_sources", "migrate", "read_words", "serve", "standing"]
