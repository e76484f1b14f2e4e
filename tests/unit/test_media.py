"""Codes in pictures: read as people photograph them, and no picture whatever harms the gateway."""

from __future__ import annotations

import asyncio
import io
import struct
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import segno
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from structlog.testing import capture_logs

from channels.media import PictureLimits, PictureReader, PictureRefused, Refusal, looks_like_a_picture
from channels.media_worker import LONGEST_TEXT, MOST_TEXTS, decode

CODE = "000.00.18.H51-161220-0001"
OTHER = "H51.18-250701-0002"
MOST_PIXELS = 40_000_000


@pytest.fixture
async def reader() -> AsyncIterator[PictureReader]:
    made = PictureReader(PictureLimits(decoding=60.0, starting=60.0))
    yield made
    await made.close()


def qr(text: str = CODE, scale: int = 6) -> Image.Image:
    stream = io.BytesIO()
    segno.make_qr(text, error="m").save(stream, kind="png", scale=scale, border=4)
    return Image.open(stream).convert("L")


def code128(text: str = CODE) -> Image.Image:
    bars = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.Code128).to_image(scale=3)
    return ImageOps.expand(Image.fromarray(bars), border=40, fill=255)


def photograph(*codes: Image.Image, width: int = 1280, height: int = 960, turned: float = 7.0) -> Image.Image:
    """Codes on white paper, turned a little, on a table of coarse noise."""
    picture = Image.effect_noise((width // 4, height // 4), 80).resize((width, height)).convert("RGB")
    for place, code in enumerate(codes):
        paper = code.rotate(turned, expand=True, fillcolor=255).convert("RGB")
        picture.paste(paper, (width // 8 + place * width // 2, height // 4))
    return picture


def written(picture: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


async def refused(reader: PictureReader, data: bytes) -> Refusal:
    with pytest.raises(PictureRefused) as caught:
        await reader.read(data)
    return caught.value.refusal


# What people send.

PHOTOGRAPHS = {
    "a screenshot": lambda: written(qr(), "PNG"),
    "turned by hand, sent as Telegram does": lambda: written(photograph(qr()), quality=60),
    "on its side": lambda: written(photograph(qr(), turned=90.0), quality=60),
    "turned by the camera's note only": lambda: written(photograph(qr()), quality=60, exif=rotated_by_exif()),
    "twelve megapixels, the code small": lambda: written(photograph(qr(scale=8), width=4000, height=3000), quality=80),
    "a barcode": lambda: written(photograph(code128()), quality=80),
    "a barcode on its side": lambda: written(photograph(code128(), height=1600, turned=90.0), quality=80),
    "light on dark": lambda: written(ImageOps.invert(qr()), "PNG"),
    "WEBP": lambda: written(photograph(qr()), "WEBP", quality=60),
    "shades of colour in a palette": lambda: written(qr().convert("P"), "PNG"),
    "sixteen bits a pixel": lambda: written(qr().convert("I;16"), "PNG"),
    "a moving picture": lambda: written(qr(), "GIF", save_all=True, append_images=[Image.new("L", qr().size)] * 3),
    "black on nothing": lambda: written(see_through(qr()), "PNG"),
}


def rotated_by_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it by 270 degrees to see it upright
    return exif


def see_through(code: Image.Image) -> Image.Image:
    picture = Image.new("LA", code.size, (0, 0))
    picture.putalpha(ImageOps.invert(code))
    return picture


@pytest.mark.parametrize("sent", PHOTOGRAPHS)
def test_a_code_is_read_as_people_send_it(sent: str) -> None:
    assert decode(PHOTOGRAPHS[sent](), MOST_PIXELS) == {"texts": [CODE]}


async def test_the_reader_tells_what_its_worker_read(reader: PictureReader) -> None:
    assert await reader.read(written(photograph(qr()), quality=60)) == (CODE,)


async def test_a_code_in_the_part_that_came_is_read(reader: PictureReader) -> None:
    whole = written(photograph(qr(), height=2000, turned=0.0), quality=80)
    assert await reader.read(whole[: len(whole) // 2]) == (CODE,)


async def test_of_several_codes_the_likeliest_comes_first(reader: PictureReader) -> None:
    both = written(photograph(code128(OTHER), qr(), width=2200), quality=80)
    assert await reader.read(both) == (CODE, OTHER)
    larger_last = written(photograph(qr(OTHER, 4), qr(CODE, 9), width=2000), quality=80)
    assert await reader.read(larger_last) == (CODE, OTHER)


async def test_a_picture_without_a_code_has_no_texts(reader: PictureReader) -> None:
    assert await reader.read(written(photograph(), quality=60)) == ()


async def test_the_same_code_twice_is_one(reader: PictureReader) -> None:
    assert await reader.read(written(photograph(qr(), qr()), quality=80)) == (CODE,)


def test_what_stands_in_a_code_is_bounded() -> None:
    assert decode(written(qr("1" * (LONGEST_TEXT + 1), 3), "PNG"), MOST_PIXELS) == {"texts": []}
    sheet = Image.new("L", (1500, 1500), 255)
    for number in range(MOST_TEXTS + 1):
        sheet.paste(qr(f"{OTHER[:-1]}{number}", 4), (number % 4 * 350, number // 4 * 350))
    answer = decode(written(sheet, "PNG"), MOST_PIXELS)
    assert len(answer["texts"]) == MOST_TEXTS


async def test_no_control_sign_of_a_code_comes_through(reader: PictureReader) -> None:
    assert await reader.read(written(qr(f"Hồ sơ {CODE}\n\u202eDK"), "PNG")) == (f"Hồ sơ {CODE} DK",)


async def test_a_code_of_octets_is_no_text(reader: PictureReader) -> None:
    stream = io.BytesIO()
    segno.make_qr(b"\x00\xff\xfe\x80\x81\x00").save(stream, kind="png", scale=6)
    assert await reader.read(stream.getvalue()) == ()


# What is no picture, or too much of one.


def png_of(width: int, height: int, body: bytes = b"") -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def bomb(side: int) -> bytes:
    """A few kilobytes that become `side` x `side` pixels."""
    row = b"\0" * (side + 1)
    pressed = zlib.compressobj(9)
    return png_of(side, side, b"".join(pressed.compress(row) for _ in range(side)) + pressed.flush())


REFUSED = {
    "nothing": (b"", Refusal.NOT_A_PICTURE),
    "a text": (b"H51.18-250701-0000", Refusal.NOT_A_PICTURE),
    "a drawing of commands": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', Refusal.NOT_A_PICTURE),
    "a page": (b"<!DOCTYPE html><html></html>", Refusal.NOT_A_PICTURE),
    "a document": (b"%PDF-1.7\n", Refusal.NOT_A_PICTURE),
    "a format we do not read": (b"II*\0\x08\0\0\0" + b"\0" * 40, Refusal.NOT_A_PICTURE),
    "the beginning of a picture": (b"\x89PNG\r\n\x1a\n", Refusal.NOT_A_PICTURE),
    "a page dressed as a picture": (b"GIF89a<html></html>", Refusal.NOT_A_PICTURE),
    "a hundred megapixels": (png_of(10_000, 10_000), Refusal.TOO_MANY_PIXELS),
    "a bomb": (bomb(8_000), Refusal.TOO_MANY_PIXELS),
    "more octets than we take": (b"\xff\xd8\xff" + bytes(5 * 1024 * 1024), Refusal.TOO_LARGE),
}


async def test_what_cannot_be_read_is_refused_by_its_reason_and_the_next_is_read(reader: PictureReader) -> None:
    told = {name: await refused(reader, data) for name, (data, _) in REFUSED.items()}
    assert told == {name: refusal for name, (_, refusal) in REFUSED.items()}
    assert await reader.read(written(qr(), "PNG")) == (CODE,)


async def test_as_many_pixels_as_allowed_are_read(reader: PictureReader) -> None:
    assert await reader.read(bomb(6_300)) == ()


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=300), at=st.integers(0, 2_000), kind=st.sampled_from(["JPEG", "PNG", "WEBP", "GIF"]))
def test_no_octets_raise_anything_but_our_own_words(data: bytes, at: int, kind: str) -> None:
    whole = written(qr(scale=2), kind)
    at %= len(whole)
    for spoiled in (data, whole[:at] + data, whole[:at] + data + whole[at + len(data) :]):
        answer = decode(spoiled, MOST_PIXELS)
        assert answer.keys() <= {"texts", "error"}
        assert answer.get("error", Refusal.DAMAGED) in set(Refusal)


@given(data=st.binary(max_size=64))
def test_only_what_begins_as_a_picture_reaches_a_decoder(data: bytes) -> None:
    assert not looks_like_a_picture(data) or data[:4] in {b"\xff\xd8\xff" + data[3:4], b"\x89PNG", b"GIF8", b"RIFF"}


# A decoder that misbehaves. A worker of ours in its place does on command what a hostile picture would do.

MISBEHAVING = """
import json, os, signal, struct, sys, time
def say(told):
    sys.stdout.buffer.write(struct.pack(">I", len(told)) + told); sys.stdout.buffer.flush()
def secrets():
    return json.dumps({"texts": sorted(os.environ)}).encode()
ACTS = {
    b"hang": lambda: time.sleep(600),
    b"die": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    b"lies": lambda: say(b'{"texts": [7]}'),
    b"flood": lambda: sys.stdout.buffer.write(b"\\xff" * 100000),
    b"junk": lambda: say(b"no JSON"),
    b"tell": lambda: say(secrets()),
    b"pid": lambda: say(json.dumps({"texts": [str(os.getpid())]}).encode()),
    b"false": lambda: say(b'{"error": "busy"}'),
}
say(b'{"texts": []}')
while len(header := sys.stdin.buffer.read(4)) == 4:
    ACTS[sys.stdin.buffer.read(struct.unpack(">I", header)[0])[6:]]()
"""


def told_to(act: str) -> bytes:
    return b"GIF89a" + act.encode()


def alive(pid: str) -> bool:
    return Path("/proc", pid).exists()


@pytest.fixture
def misbehaving(tmp_path: Path) -> Path:
    script = tmp_path / "worker.py"
    script.write_text(MISBEHAVING, encoding="utf-8")
    return script


@pytest.mark.parametrize(
    ("act", "refusal"),
    [
        ("hang", Refusal.TOO_SLOW),
        ("die", Refusal.FAILED),
        ("lies", Refusal.FAILED),
        ("flood", Refusal.FAILED),
        ("junk", Refusal.FAILED),
        ("false", Refusal.FAILED),
    ],
)
async def test_a_decoder_that_misbehaves_is_replaced_and_told_without_the_picture(
    misbehaving: Path, act: str, refusal: Refusal
) -> None:
    reader = PictureReader(PictureLimits(decoding=2.0 if act == "hang" else 60.0), worker=misbehaving)
    with capture_logs() as logs:
        (before,) = await reader.read(told_to("pid"))
        assert await refused(reader, told_to(act)) is refusal
        (after,) = await reader.read(told_to("pid"))
    await reader.close()
    assert before != after
    assert not alive(before)
    assert [entry["event"] for entry in logs] == ["media.worker_lost"]
    assert act not in repr(logs)


async def test_the_loop_goes_on_while_a_decoder_hangs(misbehaving: Path) -> None:
    reader = PictureReader(PictureLimits(decoding=60.0), worker=misbehaving)
    await reader.read(told_to("pid"))
    hanging = asyncio.create_task(refused(reader, told_to("hang")))
    for _ in range(10):
        await asyncio.sleep(0.01)
    assert not hanging.done()
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)
    await reader.close()


async def test_the_decoder_is_given_no_secret(misbehaving: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACUU_DATABASE_PASSWORD", "secret")
    reader = PictureReader(worker=misbehaving)
    assert set(await reader.read(told_to("tell"))) <= {"PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LC_CTYPE"}
    await reader.close()


async def test_a_decoder_that_does_not_start_costs_the_picture_only(tmp_path: Path) -> None:
    reader = PictureReader(worker=tmp_path / "missing.py")
    with capture_logs() as logs:
        assert await refused(reader, told_to("pid")) is Refusal.FAILED
    await reader.close()
    assert [entry["event"] for entry in logs] == ["media.worker_not_started"]


async def test_more_pictures_than_may_wait_are_refused_at_once(misbehaving: Path) -> None:
    reader = PictureReader(PictureLimits(decoding=0.5, waiting=2), worker=misbehaving)
    waiting = [asyncio.create_task(refused(reader, told_to("hang"))) for _ in range(2)]
    await asyncio.sleep(0)
    assert await refused(reader, told_to("pid")) is Refusal.BUSY
    assert await asyncio.gather(*waiting) == [Refusal.TOO_SLOW] * 2
    assert len(await reader.read(told_to("pid"))) == 1
    await reader.close()


async def test_whoever_stops_waiting_leaves_no_decoder_behind(misbehaving: Path) -> None:
    reader = PictureReader(worker=misbehaving)
    (pid,) = await reader.read(told_to("pid"))
    hanging = asyncio.create_task(reader.read(told_to("hang")))
    await asyncio.sleep(0.05)
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging
    assert not alive(pid)
    assert len(await reader.read(told_to("pid"))) == 1
    await reader.close()


async def test_closing_ends_the_decoders_and_refuses_what_comes_later(misbehaving: Path) -> None:
    reader = PictureReader(worker=misbehaving)
    (pid,) = await reader.read(told_to("pid"))
    await reader.close()
    assert not alive(pid)
    assert await refused(reader, told_to("pid")) is Refusal.BUSY


def test_a_limit_is_positive() -> None:
    with pytest.raises(ValueError, match="pixels"):
        PictureLimits(pixels=0)
