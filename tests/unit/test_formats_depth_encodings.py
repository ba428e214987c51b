"""Encodings of depth, number by number: each worked out from its data set's own document."""

import numpy as np
import pytest

from sensorfusion.errors import DepthScaleError
from sensorfusion.formats.depth_encodings import UNIT_M, decode


def decoded(values, encoding, dtype=np.uint16):
    return decode(np.array([values], dtype), encoding, "a.png")[0]


def test_sun_turns_the_low_three_bits_up():
    # 1001 = 0b0000001111101001; rotated left by three: 0b0001111101001000 = 8008.
    # 0xE001 ends in 001: 0x2000 + (0xE001 >> 3) = 0x3C00.
    assert decoded([8008, 0xE001, 0, 1], "sun").tolist() == [1001, 0x3C00, 0, 0x2000]
    assert UNIT_M["sun"] == 0.001


def test_nyu_swaps_the_bytes_and_inverts_the_disparity():
    # 351.3 / (1092.5 - d): d = 741 gives 351.3 / 351.5 m, d = 1057 gives 351.3 / 35.5 m.
    swapped = [d % 256 * 256 + d // 256 for d in (741, 1057, 600)]
    expected = [351.3 / 351.5, 351.3 / 35.5, 351.3 / 492.5]
    metres = decoded(swapped, "nyu")
    assert metres.dtype == np.float32
    np.testing.assert_allclose(metres, expected, rtol=1e-7)


@pytest.mark.parametrize("disparity", [0, 599, 1058, 1092, 1093, 2047, 65535])
def test_nyu_without_depth_is_nought(disparity):
    assert decoded([disparity % 256 * 256 + disparity // 256], "nyu").tolist() == [0]


@pytest.mark.parametrize(
    ("encoding", "units", "metres"),
    [
        ("tum", 12075, 2.415),
        ("kitti", 2560, 10.0),
        ("void", 384, 1.5),
        ("scannet", 1878, 1.878),
        ("redwood", 1878, 1.878),
        ("mm", 1878, 1.878),
    ],
)
def test_linear_encodings_keep_their_numbers_and_say_the_unit(encoding, units, metres):
    assert decoded([units], encoding).tolist() == [units]
    assert units * UNIT_M[encoding] == pytest.approx(metres, rel=1e-12)


def test_float_metres_are_metres():
    assert decoded([1.5, np.nan], "metres", np.float32)[0] == 1.5
    assert UNIT_M["metres"] == 1.0


@pytest.mark.parametrize(
    ("encoding", "dtype"), [("metres", np.uint16), ("nyu", np.float32), ("sun", np.float32)]
)
def test_numbers_of_another_type_are_refused(encoding, dtype):
    with pytest.raises(DepthScaleError, match=f"a.png: .*encoding {encoding} means"):
        decoded([1], encoding, dtype)
