import cv2  # noqa: TID253 - an independent writer of pictures
import numpy as np
import pytest

from sensorfusion.errors import CorruptRecordingError
from sensorfusion.formats import jpeg
from sensorfusion.formats.picture import PictureHeader


def encoded(height=16, width=24, shape=(3,), progressive=0):
    pixels = np.random.default_rng(1).integers(0, 255, (height, width, *shape), dtype=np.uint8)
    options = [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive]
    return cv2.imencode(".jpg", pixels, options)[1].tobytes()


@pytest.mark.parametrize("progressive", [0, 1])
def test_the_frame_header_says_size_and_channels(progressive):
    header = jpeg.read_header(encoded(progressive=progressive), "a.jpg")
    assert header == PictureHeader(24, 16, 8, 3)


def test_a_grey_picture_has_one_channel():
    assert jpeg.read_header(encoded(shape=()), "a.jpg").channels == 1


def test_a_picture_that_would_fill_the_memory_is_refused_by_its_header():
    data = bytearray(encoded())
    place = data.index(b"\xff\xc0") + 5
    data[place : place + 4] = b"\xff\xff\xff\xff"
    with pytest.raises(CorruptRecordingError, match="65535 x 65535"):
        jpeg.read_header(bytes(data), "a.jpg")


@pytest.mark.parametrize(
    "data", [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"\xff\xd8\xff\xda" * 9]
)
def test_what_is_no_jpeg_is_refused_with_its_name(data):
    with pytest.raises(CorruptRecordingError, match=r"a\.jpg"):
        jpeg.read_header(data, "a.jpg")


def test_a_picture_cut_anywhere_in_its_last_half_is_refused():
    data = encoded(64, 64)
    for length in range(len(data) // 2, len(data)):
        with pytest.raises(CorruptRecordingError, match="end marker"):
            jpeg.check_complete(data[:length], "a.jpg")


def test_a_whole_picture_may_be_padded_with_zeros():
    jpeg.check_complete(encoded() + b"\x00" * 5, "a.jpg")
