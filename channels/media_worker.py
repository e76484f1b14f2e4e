"""The process that decodes pictures: whatever a hostile picture does to a decoder, it does here and not to the gateway.

Started by channels.media with its own file as the script, so it imports nothing of ours. It reads a length (four
octets, the highest first) and so many octets of a picture, and answers a length and a JSON object: `{"texts": [...]}`
or `{"error": "..."}`. It ends when its input ends.
"""

from __future__ import annotations

import io
import json
import os
import resource
import struct
import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import BinaryIO, Final

import zxingcpp
from PIL import Image, ImageFile, UnidentifiedImageError

FILE_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF")
# What receipts carry, the likeliest first. The linear ones without a check digit read codes into any fence: left out.
CODE_FORMATS: Final = (
    zxingcpp.BarcodeFormat.QRCode,
    zxingcpp.BarcodeFormat.DataMatrix,
    zxingcpp.BarcodeFormat.Aztec,
    zxingcpp.BarcodeFormat.PDF417,
    zxingcpp.BarcodeFormat.Code128,
    zxingcpp.BarcodeFormat.Code39,
)
# Pixels of the longer side: most receipts are read in the first, in a third of the time; small codes in the second.
STEPS: Final = (1_600, 3_200)
MOST_TEXTS: Final = 8
LONGEST_TEXT: Final = 512  # characters; a code is shorter, an address with a code in it is, too
HEADER: Final = struct.Struct(">I")
NICENESS: Final = 5  # answering comes before decoding


def decode(data: bytes, most_pixels: int) -> Mapping[str, Sequence[str]]:
    """What is said of one picture; the reasons are those of channels.media.Refusal."""
    try:
        return {"texts": _texts(data, most_pixels)}
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError):
        return {"error": "too_many_pixels"}
    except UnidentifiedImageError:
        return {"error": "not_a_picture"}
    except Exception:  # noqa: BLE001 - a decoder raises anything at all over a broken file
        return {"error": "damaged"}


def _texts(data: bytes, most_pixels: int) -> list[str]:
    done: tuple[int, int] | None = None
    for longest in STEPS:
        picture = _opened(data, longest, most_pixels)
        if picture.size == done:  # it was not larger, so there is nothing more to see
            break
        done = picture.size
        texts = _read(picture)
        if texts:
            return texts
    return []


def _opened(data: bytes, longest: int, most_pixels: int) -> Image.Image:
    """The first frame in shades of grey, on white, and no larger than asked."""
    picture: Image.Image = Image.open(io.BytesIO(data), formats=FILE_FORMATS)
    if picture.width * picture.height > most_pixels:
        raise Image.DecompressionBombError
    picture.draft("L", (longest, longest))  # a JPEG is decoded smaller at once
    if picture.has_transparency_data:
        coloured = picture.convert("RGBA")
        picture = Image.new("RGBA", coloured.size, "white")
        picture.alpha_composite(coloured)
    grey = picture.convert("L")
    grey.thumbnail((longest, longest))
    return grey


def _read(picture: Image.Image) -> list[str]:
    """The texts of all codes, by kind and then the largest first; each once."""
    found = zxingcpp.read_barcodes(
        picture, formats=zxingcpp.BarcodeFormats(CODE_FORMATS), text_mode=zxingcpp.TextMode.Plain
    )
    found.sort(key=lambda code: (CODE_FORMATS.index(code.format), -_size(code.position)))
    texts = [code.text for code in found if code.content_type != zxingcpp.ContentType.Binary]
    return [text for text in dict.fromkeys(texts) if 0 < len(text) <= LONGEST_TEXT][:MOST_TEXTS]


def _size(position: zxingcpp.Position) -> int:
    """The longer diagonal, squared."""
    one = (position.top_left.x - position.bottom_right.x) ** 2 + (position.top_left.y - position.bottom_right.y) ** 2
    two = (position.top_right.x - position.bottom_left.x) ** 2 + (position.top_right.y - position.bottom_left.y) ** 2
    return max(one, two)


def serve(asked: BinaryIO, answered: BinaryIO, most_pixels: int) -> None:
    """Answer until there is nothing more to read. The first answer, of nothing, says that the decoders are there."""
    _say(answered, {"texts": []})
    while len(header := asked.read(HEADER.size)) == HEADER.size:
        (length,) = HEADER.unpack(header)
        _say(answered, decode(asked.read(length), most_pixels))


def _say(answered: BinaryIO, answer: object) -> None:
    told = json.dumps(answer).encode("ascii")
    answered.write(HEADER.pack(len(told)) + told)
    answered.flush()


def main() -> None:
    """Arguments: how many pixels a picture may have, how many octets of memory this process may take."""
    most_pixels, most_memory = (int(argument) for argument in sys.argv[1:3])
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_AS, (most_memory, most_memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    Image.MAX_IMAGE_PIXELS = most_pixels
    ImageFile.LOAD_TRUNCATED_IMAGES = True  # the code may stand in the part that came
    warnings.simplefilter("ignore")
    serve(sys.stdin.buffer, sys.stdout.buffer, most_pixels)


if __name__ == "__main__":
    main()
