"""RVL as it is written, against a decoder after the paper, and by hand."""

import numpy as np
import pytest

from sensorfusion.formats.rvl_write import encode_rvl


def decode(data):
    """Wilson's decoder, group by group, as plain as it can be."""
    width, height = np.frombuffer(data[:8], "<i4")
    words = np.frombuffer(data[8:], "<u4")
    groups = iter([(int(word) >> shift) & 15 for word in words for shift in range(28, -1, -4)])

    def number():
        value = place = 0
        while True:
            group = next(groups)
            value |= (group & 7) << place
            place += 3
            if not group & 8:
                return value

    pixels, last = [], 0
    while len(pixels) < width * height:
        pixels += [0] * number()
        for _ in range(number()):
            step = number()
            last += (step >> 1) ^ -(step & 1)
            pixels.append(last)
    return np.array(pixels, np.uint16).reshape(height, width)


def test_a_picture_worked_out_by_hand():
    # One empty pixel, then two: 5 (a step of 5, folded 10 = 2 and 1: 1010 0001), 4 (-1, folded 1).
    data = encode_rvl(np.array([[0, 5, 4]], np.uint16))
    assert data[:8] == b"\x03\0\0\0\x01\0\0\0"
    assert int.from_bytes(data[8:], "little") == 0x12A11000


@pytest.mark.parametrize("filled", [0.0, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("largest", [2, 5000, 65535])
def test_every_picture_comes_back(filled, largest):
    rng = np.random.default_rng(int(10 * filled) + largest)
    for shape in ((1, 1), (7, 9), (48, 64)):
        picture = rng.integers(1, largest + 1, shape).astype(np.uint16)
        picture[rng.random(shape) >= filled] = 0
        assert np.array_equal(decode(encode_rvl(picture)), picture)


def test_the_worst_picture_has_room():
    picture = np.zeros((50, 60), np.uint16)
    picture[:, ::2] = np.where(np.arange(30) % 2, 65535, 1)
    assert np.array_equal(decode(encode_rvl(picture)), picture)
    steps = np.where(np.arange(3000).reshape(50, 60) % 2, 65535, 1).astype(np.uint16)
    assert np.array_equal(decode(encode_rvl(steps)), steps)


def test_a_part_of_a_larger_picture_is_coded_as_such():
    picture = np.arange(1, 401, dtype=np.uint16).reshape(20, 20)
    assert np.array_equal(decode(encode_rvl(picture[2:9, 3:8])), picture[2:9, 3:8])
