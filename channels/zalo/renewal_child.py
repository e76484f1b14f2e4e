"""Spends one refresh token in a process of its own, so that its answer is kept even when the gateway is killed.

Started by channels.zalo.renewing; stands alone on the standard library, so that it starts at once. It is told what to do
in one line of JSON on stdin (never in its arguments, which everybody on the machine may read), and answers in one on
stdout. An answer with a new pair is on the disk before it is told.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

LARGEST_ANSWER = 65_536
OK = range(200, 300)
FOR_US_ALONE = 0o600


def main() -> None:
    """Nothing of an order that is not whole is done: whoever wrote it is dead, and the token not spent."""
    line = sys.stdin.buffer.readline()
    if not line.endswith(b"\n"):
        return
    order = json.loads(line)
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)  # whoever stops the gateway does not mean this
    signal.alarm(int(order["connect_patience"] + order["patience"]) + 1)
    told = carry_out(order)
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def carry_out(order: dict[str, Any]) -> dict[str, Any]:
    """`sent`: whether the platform may have seen the request. `status` and `body` where it has answered. Nothing is
    asked of it where its answer could not be kept.
    """
    path = Path(order["file"])
    connection = connected(order) if is_writable(path) else None
    if connection is None:
        return {"sent": False}
    try:
        headers = {**order["headers"], "Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", urlsplit(order["url"]).path, urlencode(order["form"]), headers)
        response = connection.getresponse()
        told = {"sent": True, "status": response.status, "body": response.read(LARGEST_ANSWER).decode()}
    except (OSError, HTTPException, ValueError):
        return {"sent": True}
    if told["status"] in OK:
        with suppress(OSError):  # a disk that has filled up since: who asked is told, and may save it elsewhere
            keep(path, {"for": order["for"], "at": time.time(), **told})
    return told


def connected(order: dict[str, Any]) -> HTTPConnection | None:
    """No proxy, and nobody is followed elsewhere: the application's key travels with the request."""
    url = urlsplit(order["url"])
    make = HTTPSConnection if url.scheme == "https" else HTTPConnection
    connection = make(url.hostname or "", url.port, timeout=order["connect_patience"])
    try:
        connection.connect()
    except OSError:
        return None
    connection.sock.settimeout(order["patience"])
    return connection


def is_writable(path: Path) -> bool:
    try:
        os.close(os.open(path.with_suffix(".new"), os.O_WRONLY | os.O_CREAT, FOR_US_ALONE))
    except OSError:
        return False
    return True


def keep(path: Path, told: dict[str, Any]) -> None:
    """Whole or not at all, and there when this returns."""
    beside = path.with_suffix(".new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FOR_US_ALONE)
    with os.fdopen(descriptor, "w") as file:
        json.dump(told, file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


if __name__ == "__main__":
    main()
