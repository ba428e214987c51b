"""OpenEXR without a foreign decoder: files of the reference library, and files made by hand."""

import base64
import struct
import zlib

import numpy as np
import pytest

from sensorfusion.errors import CorruptRecordingError, SensorFusionError, UnsupportedRecordingError
from sensorfusion.formats.exr import read_depth
from sensorfusion.formats.exr_header import SIGNATURE

# Written by OpenEXR 3.5: 20 x 18 half, row n holds n / 4, the first column 0; two blocks.
ZIP = base64.b64decode(
    "di8xAQIAAABjaGFubmVscwBjaGxpc3QAEwAAAFoAAQAAAAAAAAABAAAAAQAAAABjb21wcmVzc2lvbgBjb21wcmVz"
    "c2lvbgABAAAAA2RhdGFXaW5kb3cAYm94MmkAEAAAAAAAAAAAAAAAEwAAABEAAABkaXNwbGF5V2luZG93AGJveDJp"
    "ABAAAAAAAAAAAAAAABMAAAARAAAAbGluZU9yZGVyAGxpbmVPcmRlcgABAAAAAHBpeGVsQXNwZWN0UmF0aW8AZmxv"
    "YXQABAAAAAAAgD9zY3JlZW5XaW5kb3dDZW50ZXIAdjJmAAgAAAAAAAAAAAAAAHNjcmVlbldpbmRvd1dpZHRoAGZs"
    "b2F0AAQAAAAAAIA/dHlwZQBzdHJpbmcADQAAAHNjYW5saW5laW1hZ2UAQgEAAAAAAACSAQAAAAAAAAAAAABIAAAA"
    "eF5jaBiCgIEooYFTtwVTyGcHppjHLkwxtz2YYi57McWc92GKOe3HFHM8gCnmgE3sIKaYPTaxQ5hidtjEDmOK2WIR"
    "AwCo/zvTEAAAABYAAAB4XmNowAIOYAo5HMEUs8EiBgA7gifF"
)
# The same library: 16 x 2 float, rows of 1.5 and 2.25.
RLE = base64.b64decode(
    "di8xAQIAAABjaGFubmVscwBjaGxpc3QAEwAAAFkAAgAAAAAAAAABAAAAAQAAAABjb21wcmVzc2lvbgBjb21wcmVz"
    "c2lvbgABAAAAAWRhdGFXaW5kb3cAYm94MmkAEAAAAAAAAAAAAAAADwAAAAEAAABkaXNwbGF5V2luZG93AGJveDJp"
    "ABAAAAAAAAAAAAAAAA8AAAABAAAAbGluZU9yZGVyAGxpbmVPcmRlcgABAAAAAHBpeGVsQXNwZWN0UmF0aW8AZmxv"
    "YXQABAAAAAAAgD9zY3JlZW5XaW5kb3dDZW50ZXIAdjJmAAgAAAAAAAAAAAAAAHNjcmVlbldpbmRvd1dpZHRoAGZs"
    "b2F0AAQAAAAAAIA/dHlwZQBzdHJpbmcADQAAAHNjYW5saW5laW1hZ2UAQgEAAAAAAACKAQAAAAAAAAAAAABAAAAA"
    "AADAPwAAwD8AAMA/AADAPwAAwD8AAMA/AADAPwAAwD8AAMA/AADAPwAAwD8AAMA/AADAPwAAwD8AAMA/AADAPwEA"
    "AABAAAAAAAAQQAAAEEAAABBAAAAQQAAAEEAAABBAAAAQQAAAEEAAABBAAAAQQAAAEEAAABBAAAAQQAAAEEAAABBA"
    "AAAQQA=="
)
# And with a colour channel R, all 7, beside it.
ZIPS = base64.b64decode(
    "di8xAQIAAABjaGFubmVscwBjaGxpc3QAJQAAAFIAAgAAAAAAAAABAAAAAQAAAFoAAgAAAAAAAAABAAAAAQAAAABj"
    "b21wcmVzc2lvbgBjb21wcmVzc2lvbgABAAAAAmRhdGFXaW5kb3cAYm94MmkAEAAAAAAAAAAAAAAADwAAAAEAAABk"
    "aXNwbGF5V2luZG93AGJveDJpABAAAAAAAAAAAAAAAA8AAAABAAAAbGluZU9yZGVyAGxpbmVPcmRlcgABAAAAAHBp"
    "eGVsQXNwZWN0UmF0aW8AZmxvYXQABAAAAAAAgD9zY3JlZW5XaW5kb3dDZW50ZXIAdjJmAAgAAAAAAAAAAAAAAHNj"
    "cmVlbldpbmRvd1dpZHRoAGZsb2F0AAQAAAAAAIA/dHlwZQBzdHJpbmcADQAAAHNjYW5saW5laW1hZ2UAVAEAAAAA"
    "AABzAQAAAAAAAAAAAAAXAAAAeF5jSFiAHzocwA8JSDvsd8QLAeNRP8ABAAAAFAAAAHheY0hYgB9OKMAPDzhQBAHo"
    "YT/B"
)


def attribute(name, kind, body):
    return name + b"\0" + kind + b"\0" + struct.pack("<i", len(body)) + body


def channel(name, kind):
    return name + b"\0" + struct.pack("<iIii", kind, 0, 1, 1)


def exr(rows, channels=((b"Z", 2),), compression=0, version=2, **window):
    """A file of uncompressed rows, each the bytes of all its channels."""
    width, height = window.get("width", 3), len(rows)
    box = struct.pack("<4i", 0, 0, width - 1, height - 1)
    shown = struct.pack("<4i", 0, 0, window.get("shown", width) - 1, height - 1)
    listed = b"".join(channel(name, kind) for name, kind in channels) + b"\0"
    header = SIGNATURE + struct.pack("<I", version)
    header += attribute(b"channels", b"chlist", listed)
    header += attribute(b"compression", b"compression", bytes([compression]))
    header += attribute(b"dataWindow", b"box2i", box)
    header += attribute(b"displayWindow", b"box2i", shown) + b"\0"
    chunks = [struct.pack("<ii", y, len(row)) + row for y, row in enumerate(rows)]
    offsets, place = b"", len(header) + 8 * height
    for chunk in chunks:
        offsets += struct.pack("<Q", place)
        place += len(chunk)
    return header + offsets + b"".join(chunks)


def floats(*values):
    return np.array(values, "<f4").tobytes()


def test_zip_of_the_reference_library_comes_out_bit_for_bit():
    expected = np.repeat(np.arange(18)[:, None] / 4, 20, axis=1)
    expected[:, 0] = 0
    depth = read_depth(ZIP, "z.exr")
    assert depth.dtype == np.float32
    assert np.array_equal(depth, expected)


@pytest.mark.parametrize("data", [RLE, ZIPS], ids=["RLE", "ZIPS beside a colour"])
def test_rows_compressed_one_by_one_come_out(data):
    assert np.array_equal(read_depth(data, "a.exr"), [[1.5] * 16, [2.25] * 16])


def test_rows_without_compression_come_out():
    data = exr([floats(1, 2, 3), floats(4, 5, np.inf)])
    assert np.array_equal(read_depth(data, "a.exr"), np.array([[1, 2, 3], [4, 5, np.inf]]))


def test_depth_is_found_in_a_layer_among_colours():
    channels = ((b"B", 1), (b"Main.Depth.Z", 2), (b"R", 1))
    half = np.array([9, 9, 9], "<f2").tobytes()
    data = exr([half + floats(1, 2, 3) + half], channels)
    assert np.array_equal(read_depth(data, "a.exr"), [[1, 2, 3]])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (exr([floats(1, 2, 3)], compression=4), "compression PIZ"),
        (exr([floats(1, 2, 3)], compression=8), "compression DWAA"),
        (exr([floats(1, 2, 3)], compression=99), "compression 99"),
        (exr([floats(1, 2, 3)], version=0x202), "tiles"),
        (exr([floats(1, 2, 3)], version=0x802), "deep pixels"),
        (exr([floats(1, 2, 3)], version=0x1002), "several parts"),
        (exr([floats(1, 2, 3)], ((b"Z", 0),)), "whole numbers"),
        (exr([floats(1, 2, 3) * 2], ((b"G", 2), (b"R", 2))), "channels G, R"),
        (exr([floats(1, 2, 3)], shown=9), "3 x 1 of 9 x 1 pixels, a crop"),
    ],
)
def test_what_is_not_read_is_refused_by_its_name(data, said):
    with pytest.raises(UnsupportedRecordingError, match=said):
        read_depth(data, "a.exr")


def test_a_file_says_where_it_is_damaged():
    with pytest.raises(CorruptRecordingError, match=r"z.exr: at byte 0: found .*OpenEXR signature"):
        read_depth(b"P5" + ZIP[2:], "z.exr")
    with pytest.raises(CorruptRecordingError, match="version 3"):
        read_depth(ZIP[:4] + b"\x03" + ZIP[5:], "z.exr")
    with pytest.raises(CorruptRecordingError, match="bytes of chunks"):
        read_depth(ZIP + b"more", "z.exr")


def test_a_chunk_that_inflates_to_more_than_its_rows_is_not_unpacked():
    bomb = zlib.compress(bytes(10_000_000))
    with pytest.raises(CorruptRecordingError, match="12 bytes"):
        read_depth(exr([bomb], compression=2), "a.exr")


def test_a_size_that_no_memory_holds_is_refused():
    with pytest.raises(CorruptRecordingError, match="64000000 pixels"):
        read_depth(exr([b""] * 9, width=1 << 23), "a.exr")


@pytest.mark.parametrize("data", [ZIP, RLE, ZIPS], ids=["ZIP", "RLE", "ZIPS"])
def test_a_cut_file_is_refused_wherever_it_is_cut(data):
    for end in range(0, len(data)):
        with pytest.raises(CorruptRecordingError):
            read_depth(data[:end], "a.exr")


@pytest.mark.parametrize("data", [ZIP, RLE], ids=["ZIP", "RLE"])
def test_damage_anywhere_is_an_error_of_ours_or_another_picture(data):
    for place in range(len(data)):
        damaged = bytearray(data)
        damaged[place] ^= 0xFF
        try:
            depth = read_depth(bytes(damaged), "a.exr")
        except SensorFusionError:
            continue
        assert depth.dtype == np.float32
