"""Pictures, opened and looked at as a whole; only ever in the worker process, since decoders are C over files of strangers."""

from __future__ import annotations

import io
import warnings
from typing import Final

from PIL import Image, UnidentifiedImageError

from intake.uploads.kinds import FileFormat, Refused, UploadRefusal
from intake.uploads.picture_shapes import check_png, end_of_jpeg

MOST_PIXELS: Final = 80_000_000  # of one page: A3 at 600 dots an inch is 70 million
MOST_PIXELS_IN_ALL: Final = 500_000_000
MOST_PAGES: Final = 300
_BESIDE: Final = 1024 * 1024  # octets of colour profiles and notes
_OCTETS_OF_A_PIXEL: Final = 16
_NAMES: Final = {FileFormat.JPG: "JPEG", FileFormat.PNG: "PNG", FileFormat.TIF: "TIFF"}


def check_picture(data: bytes, kind: FileFormat) -> None:
    """Look at all of it.

    Raises:
        Refused: BROKEN, MIXED, UNPACKS or TOO_MANY_PIXELS.
    """
    size = len(data)
    if kind is FileFormat.JPG:
        size = end_of_jpeg(data)
    elif kind is FileFormat.PNG:
        check_png(data)
    pixels = _decoded(data, kind)
    if size > _BESIDE + pixels * _OCTETS_OF_A_PIXEL:
        raise Refused(UploadRefusal.MIXED)


def _decoded(data: bytes, kind: FileFormat) -> int:
    """How many pixels it has in all, every one of them decoded."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _pages(data, kind)
    except Refused:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Refused(UploadRefusal.TOO_MANY_PIXELS) from error
    except UnidentifiedImageError as error:
        raise Refused(UploadRefusal.BROKEN) from error
    except MemoryError:
        raise
    except Exception as error:  # a decoder raises anything at all over a broken file
        raise Refused(UploadRefusal.BROKEN) from error


def _pages(data: bytes, kind: FileFormat) -> int:
    pixels = 0
    with Image.open(io.BytesIO(data), formats=[_NAMES[kind]]) as picture:
        for page in range(MOST_PAGES + 1):
            if page and not _turned(picture, page):
                return pixels
            pixels += picture.width * picture.height
            if picture.width * picture.height > MOST_PIXELS or pixels > MOST_PIXELS_IN_ALL:
                raise Refused(UploadRefusal.TOO_MANY_PIXELS)
            if kind is FileFormat.JPG:
                picture.draft("L", (picture.width // 8 or 1, picture.height // 8 or 1))  # all is read, little is kept
            picture.load()
            if kind is not FileFormat.TIF:  # a moving PNG is its first picture to an officer
                return pixels
    raise Refused(UploadRefusal.TOO_MANY_PIXELS)


def _turned(picture: Image.Image, page: int) -> bool:
    try:
        picture.seek(page)
    except EOFError:
        return False
    return True
