"""TIFF, checked before OpenCV decodes it: OpenCV itself writes the files."""

import struct

import cv2  # noqa: TID253 - an independent writer of pictures
import numpy as np
import pytest

from sensorfusion.errors import CorruptRecordingError, SensorFusionError, UnsupportedRecordingError
from sensorfusion.formats.picture import PictureHeader
from sensorfusion.formats.tiff import read_header
from sensorfusion_drivers.pictures import picture_size, read_depth

UNITS = np.arange(12, dtype=np.uint16).reshape(3, 4) * 1000
METRES = (UNITS / 1000).astype(np.float32)
NONE, LZW, DEFLATE = 1, 5, 8


def tiff(pixels, compression=LZW):
    return cv2.imencode(".tiff", pixels, [cv2.IMWRITE_TIFF_COMPRESSION, compression])[1].tobytes()


def by_hand(order, **changed):
    """A plain TIFF of 2 x 1 pixels 258 and 772, in the byte order of struct."""
    tags = {256: 2, 257: 1, 258: 16, 259: 1, 262: 1, 273: 8, 277: 1, 279: 4, 339: 1}
    tags |= {int(key[1:]): value for key, value in changed.items()}
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 12)
    entries = b"".join(
        struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in sorted(tags.items())
    )
    pixels = struct.pack(order + "HH", 258, 772)
    return start + pixels + struct.pack(order + "H", len(tags)) + entries + bytes(4)


@pytest.mark.parametrize("compression", [NONE, LZW, DEFLATE])
@pytest.mark.parametrize("pixels", [UNITS, METRES], ids=["uint16", "float32"])
def test_what_opencv_writes_is_read_back(tmp_path, pixels, compression):
    path = tmp_path / "a.tiff"
    path.write_bytes(tiff(pixels, compression))
    back = read_depth(path)
    assert back.dtype == pixels.dtype
    assert np.array_equal(back, pixels)
    assert picture_size(path) == (4, 3)


@pytest.mark.parametrize("order", "<>")
def test_both_byte_orders_are_read(tmp_path, order):
    data = by_hand(order)
    assert read_header(data, "a.tif") == PictureHeader(2, 1, 16, 1)
    (tmp_path / "a.tif").write_bytes(data)
    assert read_depth(tmp_path / "a.tif").tolist() == [[258, 772]]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (tiff(np.zeros((3, 4, 3), np.uint8)), "3 samples of 8 bits"),
        (tiff(np.zeros((3, 4), np.uint8)), "1 samples of 8 bits"),
        (by_hand("<", t339=2), r"16 bits \(signed\)"),
        (by_hand("<", t259=50000), "compression 50000"),
        (by_hand("<", t317=2), "compression 1 and predictor 2"),
        (by_hand("<", t274=3), "rows that are turned"),
        (by_hand("<", t262=0), "values that fall with brightness"),
        (by_hand("<")[:-4] + b"\x08\0\0\0", "several pictures"),
        (b"II+\0" + bytes(20), "BigTIFF"),
    ],
)
def test_what_is_no_depth_is_refused(data, said):
    with pytest.raises(UnsupportedRecordingError, match=said):
        read_header(data, "a.tif")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"PK\x03\x04" + bytes(20), "at byte 0: found .*a TIFF signature"),
        (by_hand("<")[:30], "the end after 30 bytes"),
        (by_hand("<", t256=1 << 30), "1073741824 x 1 pixels"),
        (by_hand("<", t279=400), "bytes of pixels; expected 400 bytes"),
        (by_hand("<", t279=2), "2 bytes of pixels; expected 4 bytes"),
        (by_hand("<", t273=1 << 31), "at byte 2147483648: found 0 bytes of pixels"),
    ],
)
def test_damage_is_told_with_its_place(data, said):
    with pytest.raises(CorruptRecordingError, match=said):
        read_header(data, "a.tif")


@pytest.mark.parametrize("compression", [NONE, LZW, DEFLATE])
def test_a_cut_file_is_refused_wherever_it_is_cut(tmp_path, compression):
    data = tiff(METRES, compression)
    path = tmp_path / "a.tif"
    for end in range(1, len(data), 7):
        path.write_bytes(data[:end])
        with pytest.raises(SensorFusionError):
            read_depth(path)


def test_damaged_pixels_are_told_by_us_alone(tmp_path, capfd):
    noise = np.random.default_rng(0).integers(0, 9999, (200, 200)).astype(np.uint16)
    data = bytearray(tiff(noise, LZW))
    data[5000:5050] = bytes(50)
    path = tmp_path / "a.tif"
    path.write_bytes(data)
    with pytest.raises(CorruptRecordingError, match="data that OpenCV cannot decode"):
        read_depth(path)
    assert capfd.readouterr().err == ""
