"""PGM and PPM, as text and in binary, with one and two bytes a sample."""

import numpy as np
import pytest

from sensorfusion.errors import CorruptRecordingError
from sensorfusion.formats.pnm import PnmHeader, read_header, read_pixels

FILES = {
    "binary, one byte": (b"P5 3 2 255\n" + bytes([0, 1, 2, 3, 4, 255]), np.uint8),
    "binary, two bytes": (
        b"P5\n3 2\n65535\n" + bytes([0, 0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 255]),
        np.uint16,
    ),
    "text, small": (b"P2 3 2 255 0 1 2\n3 4 255\n", np.uint8),
    "text, large": (b"P2\n# by hand\n3 2\n65535\n0 1 2 # a row\n3 4 255", np.uint16),
}


@pytest.mark.parametrize(("data", "dtype"), FILES.values(), ids=FILES)
def test_each_form_gives_the_same_samples(data, dtype):
    pixels = read_pixels(data, "a.pgm")
    assert pixels.dtype == dtype
    assert pixels.tolist() == [[0, 1, 2], [3, 4, 255]]


def test_samples_of_two_bytes_have_the_most_significant_first():
    assert read_pixels(b"P5 2 1 65535\n\x01\x02\xff\xfe", "a.pgm").tolist() == [[0x0102, 0xFFFE]]


def test_colour_has_three_samples_a_pixel():
    expected = [[[1, 2, 3], [4, 5, 6]]]
    assert read_pixels(b"P6 2 1 9\n\x01\x02\x03\x04\x05\x06", "a.ppm").tolist() == expected
    assert read_pixels(b"P3 2 1 9\n1 2 3 4 5 6", "a.ppm").tolist() == expected


def test_the_header_says_size_and_where_the_pixels_begin():
    assert read_header(b"P5\t# c\n12 # w\n 34\r\n1000\n", "a") == PnmHeader(
        12, 34, 1000, 1, False, 24
    )


def test_a_pixel_that_looks_like_white_space_is_a_pixel():
    assert read_pixels(b"P5 2 1 255\n\n ", "a.pgm").tolist() == [[10, 32]]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"P4 3 2\n\x00\x00", "at byte 0: found b'P4 3 2"),
        (b"P5 3 2", "at byte 0"),
        (b"P5 0 2 255\n", "at byte 3: found 0 x 2 pixels"),
        (b"P5 99999 99999 255\n", "99999 x 99999 pixels; expected 1 to 64000000"),
        (b"P5 1 1 0\n\x00", "at byte 7: found maxval 0"),
        (b"P5 1 1 65536\n\x00\x00", "found maxval 65536; expected 1 to 65535"),
        (b"P5 3 2 255\n\x00\x00", "at byte 11: found 2 bytes of pixels; expected 6"),
        (b"P5 1 1 255\n\x00\x00", "found 2 bytes of pixels; expected 1"),
        (b"P5 1 1 300\n\x01\x2d", "found sample 0 of value 301; expected at most the maxval 300"),
        (b"P2 2 1 9\n1", "found 1 samples"),
        (b"P2 2 1 9\n1 2 3", "found 3 samples"),
        (b"P2 2 1 9\n1 -2", "samples that are no numbers"),
        (b"P2 2 1 9\n1 1_0", "samples that are no numbers"),
        (b"P2 1 1 9\n99999999999999999999", "20 digits"),
    ],
)
def test_damage_is_told_with_its_place(data, said):
    with pytest.raises(CorruptRecordingError, match=said):
        read_pixels(data, "a.pgm")
