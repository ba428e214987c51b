import numpy as np

from sensorfusion.formats.crc64 import crc64


def test_the_checksum_is_that_of_the_xz_format():
    # The check value of CRC-64/XZ in the catalogue of parametrised CRC algorithms.
    message = np.frombuffer(b"123456789", dtype=np.uint8)
    assert int(crc64(message[None])[0]) == 0x995DC9BBDF1939FA


def test_messages_are_checked_each_for_itself():
    messages = np.array([[1, 2, 3], [3, 2, 1], [1, 2, 3]], dtype=np.uint8)
    first, second, third = crc64(messages)
    assert first == third != second
