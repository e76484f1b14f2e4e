"""Bytes of files (intake.ports.Vault): kept whole or not at all, out of everybody's sight."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import resource
import stat
import threading
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.files.vault import FolderVault
from intake.ports import FileTooLarge, Vault

MIB = 1024 * 1024
A_LOT = 64 * MIB


class FolderKit:
    """A vault in a folder, and a look behind it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "vault"
        self.now = datetime.now(UTC)  # the disk's own
        self.vault: Vault = FolderVault(self.folder, now=lambda: self.now)

    def left(self) -> Sequence[Path]:
        """Every file there is, half or whole."""
        return [path for path in self.folder.rglob("*") if not path.is_dir()]

    def folders(self) -> Sequence[Path]:
        return [self.folder, *(path for path in self.folder.rglob("*") if path.is_dir())]


KITS = [FolderKit]


@pytest.fixture(params=KITS, ids=["folder"])
def kit(request: pytest.FixtureRequest, tmp_path: Path) -> FolderKit:
    made: FolderKit = request.param(tmp_path)
    return made


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def nobody(keys: Sequence[str]) -> frozenset[str]:
    return frozenset()


# What is refused, or goes wrong.


async def test_two_gigabytes_stop_at_the_bound_and_leave_nothing(kit: FolderKit) -> None:
    sent = 0

    async def zeros() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(2 * 1024 * MIB // 65_536):
            sent += 65_536
            yield bytes(65_536)

    tracemalloc.start()
    try:
        with pytest.raises(FileTooLarge):
            await kit.vault.keep(zeros(), most=32 * MIB)
        assert tracemalloc.get_traced_memory()[1] < 8 * MIB
    finally:
        tracemalloc.stop()
    assert sent == 32 * MIB + 65_536  # no more was asked for
    assert kit.left() == []


async def test_one_octet_too_many_is_too_many(kit: FolderKit) -> None:
    with pytest.raises(FileTooLarge):
        await kit.vault.keep(pieces(bytes(600), bytes(401)), most=1_000)
    with pytest.raises(FileTooLarge):
        await kit.vault.keep(pieces(bytes(MIB + 1)), most=MIB)
    assert kit.left() == []
    assert (await kit.vault.keep(pieces(bytes(600), bytes(400)), most=1_000)).size == 1_000


async def test_who_goes_away_in_the_middle_leaves_nothing(kit: FolderKit) -> None:
    arrived = asyncio.Event()

    async def stalled() -> AsyncIterator[bytes]:
        yield bytes(MIB)
        arrived.set()
        await asyncio.Event().wait()
        yield b""

    task = asyncio.create_task(kit.vault.keep(stalled(), most=A_LOT))
    await arrived.wait()
    assert len(kit.left()) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert kit.left() == []


@pytest.mark.parametrize("step", ["open", "write", "fsync", "rename"])
async def test_who_is_cancelled_while_the_disk_works_leaves_nothing(
    kit: FolderKit, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """However often it is cancelled: a thread goes on, and what it made last is taken away."""
    loop, reached, go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    real: Callable[..., object] = getattr(os, step)

    def slow(*args: object, **kwargs: object) -> object:
        loop.call_soon_threadsafe(reached.set)
        go_on.wait(60)
        return real(*args, **kwargs)

    task = asyncio.create_task(kit.vault.keep(pieces(b"a" * 1_000), most=A_LOT))
    monkeypatch.setattr(os, step, slow)
    await reached.wait()
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert kit.left() == []


async def test_who_stops_sending_with_an_error_leaves_nothing(kit: FolderKit) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield bytes(MIB)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await kit.vault.keep(broken(), most=A_LOT)
    assert kit.left() == []


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_disk_that_takes_no_more_is_told_and_leaves_nothing(kit: FolderKit) -> None:
    with files_no_larger_than(2 * MIB), pytest.raises(OSError, match="File too large") as caught:
        await kit.vault.keep(pieces(*[bytes(MIB)] * 4), most=A_LOT)
    assert caught.value.errno == errno.EFBIG
    assert kit.left() == []


@pytest.mark.parametrize("step", ["mkdir", "open", "write", "fsync", "rename"])
async def test_a_full_disk_is_told_at_any_step_and_leaves_nothing(
    kit: FolderKit, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    await kit.vault.drop((await kit.vault.keep(pieces(b"before"), most=A_LOT)).key)
    real = getattr(os, step)

    def full(*args: object, **kwargs: object) -> object:
        if step == "open" and not (isinstance(args[1], int) and args[1] & os.O_CREAT):
            return real(*args, **kwargs)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, step, full)
        with pytest.raises(OSError, match="No space left"):
            await kit.vault.keep(pieces(b"a" * 1_000), most=A_LOT)
    assert kit.left() == []
    assert (await kit.vault.keep(pieces(b"after"), most=A_LOT)).size == 5


async def test_what_is_not_there_cannot_be_read(kit: FolderKit) -> None:
    kept = await kit.vault.keep(pieces(b"a"), most=A_LOT)
    await kit.vault.drop(kept.key)
    with pytest.raises(OSError, match="No such file"):
        await kit.vault.head(kept.key, 10)
    await kit.vault.drop(kept.key)  # once more is no error


@pytest.mark.parametrize(
    "key", ["", "..", "../../etc/passwd", "/etc/passwd", "a" * 39, "a" * 41, "A" * 40, "a" * 40 + "\n"]
)
async def test_what_is_no_key_opens_nothing(kit: FolderKit, key: str) -> None:
    with pytest.raises(OSError, match="no key"):
        await kit.vault.head(key, 10)
    with pytest.raises(OSError, match="no key"):
        kit.vault.path(key)
    with pytest.raises(OSError, match="no key"):
        await kit.vault.drop(key)


async def test_a_link_is_followed_nowhere(kit: FolderKit, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    kept = await kit.vault.keep(pieces(b"a"), most=A_LOT)
    place = kit.vault.path(kept.key)
    place.unlink()
    place.symlink_to(secret)
    with pytest.raises(OSError, match="symbolic links"):
        await kit.vault.head(kept.key, 10)
    await kit.vault.drop(kept.key)
    assert secret.read_bytes() == b"secret"
    place.parent.rmdir()
    place.parent.symlink_to(tmp_path)
    with pytest.raises(OSError, match="directory"):
        await kit.vault.head(kept.key, 10)


async def test_a_link_where_files_arrive_is_not_written_through(kit: FolderKit, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    kit.folder.mkdir(mode=0o700)
    (kit.folder / "arriving").symlink_to(elsewhere)
    with pytest.raises(OSError, match="directory"):
        await kit.vault.keep(pieces(b"a"), most=A_LOT)
    assert list(elsewhere.iterdir()) == []


async def test_a_folder_others_write_into_is_not_used(kit: FolderKit) -> None:
    kit.folder.mkdir()
    kit.folder.chmod(0o777)
    with pytest.raises(PermissionError, match="others may write"):
        await kit.vault.keep(pieces(b"a"), most=A_LOT)
    assert kit.left() == []


# What is kept.


@pytest.mark.parametrize("parts", [(), (b"",), (b"a", b"", b"bc"), (b"x" * MIB, b"y" * 300_001)], ids=len)
async def test_what_is_kept_is_there_octet_for_octet(kit: FolderKit, parts: tuple[bytes, ...]) -> None:
    whole = b"".join(parts)
    kept = await kit.vault.keep(pieces(*parts), most=A_LOT)
    assert (kept.size, kept.sha256) == (len(whole), hashlib.sha256(whole).hexdigest())
    assert kit.vault.path(kept.key).read_bytes() == whole
    assert await kit.vault.head(kept.key, 5) == whole[:5]
    assert await kit.vault.head(kept.key, A_LOT) == whole
    assert kit.left() == [kit.vault.path(kept.key)]


async def test_the_same_file_twice_is_kept_twice_under_names_that_say_nothing(kit: FolderKit) -> None:
    one, other = [await kit.vault.keep(pieces(b"a"), most=A_LOT) for _ in range(2)]
    assert one.key != other.key
    assert len(one.key) == len(other.key) == 40
    await kit.vault.drop(one.key)
    assert await kit.vault.head(other.key, 10) == b"a"


async def test_nobody_else_may_read_it(kit: FolderKit) -> None:
    before = os.umask(0)
    try:
        kept = await kit.vault.keep(pieces(b"a"), most=A_LOT)
    finally:
        os.umask(before)
    assert stat.S_IMODE(kit.vault.path(kept.key).stat().st_mode) == 0o600
    assert {stat.S_IMODE(path.stat().st_mode) for path in kit.folders()} == {0o700}


async def test_many_at_once_do_not_disturb_one_another(kit: FolderKit) -> None:
    contents = [bytes([number]) * (number * 5_000) for number in range(40)]
    kept = await asyncio.gather(*(kit.vault.keep(pieces(content, content), most=A_LOT) for content in contents))
    assert [kit.vault.path(each.key).read_bytes() for each in kept] == [content * 2 for content in contents]
    assert len(kit.left()) == 40


# The sweep.


async def test_only_what_nobody_knows_for_a_day_is_swept(kit: FolderKit) -> None:
    known, unknown = [await kit.vault.keep(pieces(b"a"), most=A_LOT) for _ in range(2)]

    async def who(keys: Sequence[str]) -> frozenset[str]:
        return frozenset(keys) & {known.key}

    assert await kit.vault.sweep(who) == 0
    kit.now += timedelta(hours=23)
    assert await kit.vault.sweep(who) == 0
    kit.now += timedelta(hours=2)
    assert await kit.vault.sweep(who) == 1
    assert kit.left() == [kit.vault.path(known.key)]
    assert await kit.vault.sweep(who) == 0
    with pytest.raises(OSError, match="No such file"):
        await kit.vault.head(unknown.key, 1)


async def test_a_half_that_a_crash_left_is_swept(kit: FolderKit) -> None:
    await kit.vault.drop((await kit.vault.keep(pieces(b"a"), most=A_LOT)).key)
    half = kit.folder / "arriving" / ("0" * 40)
    half.write_bytes(b"half")
    kit.now += timedelta(hours=25)
    assert await kit.vault.sweep(nobody) == 1
    assert kit.left() == []


async def test_what_is_not_ours_is_not_swept(kit: FolderKit) -> None:
    kept = await kit.vault.keep(pieces(b"a"), most=A_LOT)
    strange = kit.vault.path(kept.key).with_name("README")
    strange.write_text("of the operator")
    kit.now += timedelta(hours=25)
    assert await kit.vault.sweep(nobody) == 1
    assert kit.left() == [strange]


async def test_a_sweep_that_cannot_ask_takes_nothing_out(kit: FolderKit) -> None:
    await kit.vault.keep(pieces(b"a"), most=A_LOT)
    kit.now += timedelta(hours=25)

    async def away(keys: Sequence[str]) -> frozenset[str]:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await kit.vault.sweep(away)
    assert len(kit.left()) == 1


async def test_nothing_kept_yet_is_nothing_to_sweep(kit: FolderKit) -> None:
    assert await kit.vault.sweep(nobody) == 0
    assert not kit.folder.exists()
