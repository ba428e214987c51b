import re
import struct
import tracemalloc
import zlib

import cv2  # noqa: TID253 - an independent writer of pictures
import numpy as np
import pytest

from sensorfusion.errors import CorruptRecordingError
from sensorfusion.formats import png
from sensorfusion.formats.picture import PictureHeader


def chunk(kind, body=b""):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def header_chunk(width, height, bit_depth, color_type):
    body = struct.pack(">IIBBBBB", width, height, bit_depth, color_type, 0, 0, 0)
    return png.SIGNATURE + chunk(b"IHDR", body)


def encoded(pixels):
    return cv2.imencode(".png", pixels)[1].tobytes()


@pytest.mark.parametrize(
    ("color_type", "bit_depth", "channels"),
    [(0, 16, 1), (2, 8, 3), (3, 8, 1), (4, 8, 2), (6, 16, 4)],
)
def test_the_header_says_size_depth_and_channels(color_type, bit_depth, channels):
    header = png.read_header(header_chunk(640, 480, bit_depth, color_type), "a.png")
    assert header == PictureHeader(640, 480, bit_depth, channels)


def test_a_picture_that_would_fill_the_memory_is_refused_by_its_header():
    with pytest.raises(CorruptRecordingError, match=r"20000 x 20000 pixels"):
        png.read_header(header_chunk(20000, 20000, 16, 0), "a.png")


def test_a_bit_depth_that_png_does_not_know_is_refused():
    with pytest.raises(CorruptRecordingError, match=r"bit depth 7 with colour type 0"):
        png.read_header(header_chunk(4, 4, 7, 0), "a.png")


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8\xff\xe0", png.SIGNATURE, png.SIGNATURE + b"x" * 40]
)
def test_what_is_no_png_is_refused_with_its_name(data):
    with pytest.raises(CorruptRecordingError, match=r"a\.png"):
        png.read_header(data, "a.png")


def test_a_whole_picture_is_accepted():
    png.check_complete(encoded(np.arange(48, dtype=np.uint16).reshape(6, 8)), "a.png")


def test_a_picture_cut_at_any_byte_is_refused():
    data = encoded(np.arange(48, dtype=np.uint16).reshape(6, 8))
    for length in range(8, len(data)):
        with pytest.raises(CorruptRecordingError):
            png.check_complete(data[:length], "a.png")


def test_one_changed_byte_anywhere_after_the_signature_is_noticed():
    data = encoded(np.arange(48, dtype=np.uint16).reshape(6, 8))
    for place in range(8, len(data)):
        changed = data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :]
        with pytest.raises(CorruptRecordingError):
            png.check_complete(changed, "a.png")


# By hand: a filter byte and 8 pixels of 2 bytes make a row of 17 bytes, six rows 102 bytes.
ROWS = b"".join(bytes([0]) + bytes(range(16)) for _ in range(6))


def with_pixels(stream):
    return header_chunk(8, 6, 16, 0) + chunk(b"IDAT", stream) + chunk(b"IEND")


@pytest.mark.parametrize(
    ("stream", "fault"),
    [
        (zlib.compress(ROWS[:51]), "51 bytes of pixels.*expected 102 bytes for 8 x 6"),
        (zlib.compress(ROWS[:-1]), "101 bytes of pixels.*expected 102 bytes for 8 x 6"),
        (zlib.compress(ROWS)[:-4], "102 bytes of pixels in a stream that is cut"),
        (b"", "0 bytes of pixels.*expected 102 bytes"),
        (zlib.compress(ROWS)[:-4] + b"abcd", "do not inflate .*incorrect data check"),
        (b"\xff" * 20, "do not inflate .*incorrect header"),
        (zlib.compress(b"\x09" + ROWS[1:]), "cannot be decoded"),
    ],
)
def test_pixels_that_a_decoder_refuses_are_explained_at_their_chunk(stream, fault, capfd):
    data = with_pixels(stream)
    png.check_complete(data, "a.png")
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) is None
    capfd.readouterr()
    # 8 bytes of signature and 25 of IHDR stand before the chunk of the pixels.
    assert re.search(
        rf"a\.png: at byte 33: found.*{fault}", str(png.fault_in_pixels(data, "a.png"))
    )


def test_pixels_that_end_early_in_an_interlaced_picture_are_explained_too():
    interlaced = struct.pack(">IIBBBBB", 8, 6, 16, 0, 0, 0, 1)
    data = png.SIGNATURE + chunk(b"IHDR", interlaced)
    data += chunk(b"IDAT", zlib.compress(ROWS)[:-9]) + chunk(b"IEND")
    assert "bytes of pixels in a stream that is cut" in str(png.fault_in_pixels(data, "a.png"))


def test_a_bomb_of_pixels_is_not_inflated_to_its_end():
    data = with_pixels(zlib.compress(bytes(50_000_000), 9))
    tracemalloc.start()
    try:
        assert "at byte 33:" in str(png.fault_in_pixels(data, "a.png"))
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_bytes_after_the_end_are_refused():
    data = encoded(np.zeros((2, 2), dtype=np.uint8))
    with pytest.raises(CorruptRecordingError, match="3 bytes after IEND"):
        png.check_complete(data + b"abc", "a.png")
