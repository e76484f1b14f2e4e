"""The process that looks into one file: whatever a hostile file does to a reader, it does here and not to the gateway.

It reads one JSON object from its input, `{"path": ..., "name": ..., "allowed": [...]}`, and answers one: `{"format": ...,
"name": ...}` or `{"refused": ...}`. It may write no file, and has so much memory and time of the processor.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from intake.uploads.kinds import Sniffed
from intake.uploads.looking import look_into

NICENESS: Final = 5  # answering comes before looking
_FILES: Final = 32  # open at once


def bind(memory: int, seconds: int) -> None:
    """Bound this process for the rest of its life: octets of address space, seconds of the processor, nothing written."""
    os.nice(NICENESS)
    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _FILES),
    ):
        resource.setrlimit(what, (most, most))


def answer(asked: Mapping[str, object]) -> Mapping[str, str]:
    """What is said of one file."""
    match asked:
        case {"path": str(path), "name": str(name), "allowed": [*allowed]}:
            found = look_into(Path(path), name, [str(kind) for kind in allowed])
        case _:
            raise ValueError("that is no question")
    if isinstance(found, Sniffed):
        return {"format": found.format.value, "name": found.name}
    return {"refused": found.value}


def main() -> None:
    """Arguments: octets of memory, seconds of the processor."""
    memory, seconds = (int(argument) for argument in sys.argv[1:3])
    bind(memory, seconds)
    said = json.dumps(answer(json.loads(sys.stdin.buffer.read())))
    sys.stdout.buffer.write(said.encode("ascii"))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
