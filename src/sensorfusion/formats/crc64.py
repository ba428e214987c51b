"""CRC-64 of many messages at once.

References
----------
ECMA-182, reflected, as in the .xz file format: all ones at the start, inverted at the end.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

_POLYNOMIAL: Final = 0xC96C5795D7870F42


def _table() -> NDArray[np.uint64]:
    entries = np.arange(256, dtype=np.uint64)
    for _ in range(8):
        odd = (entries & np.uint64(1)).astype(bool)
        entries = (entries >> np.uint64(1)) ^ np.where(odd, np.uint64(_POLYNOMIAL), np.uint64(0))
    return entries


_TABLE: Final = _table()


def crc64(messages: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return the checksum of each message.

    Parameters
    ----------
    messages : ndarray of uint8, shape (N, length)

    Returns
    -------
    ndarray of uint64, shape (N,)
    """
    state = np.full(len(messages), 0xFFFF_FFFF_FFFF_FFFF, dtype=np.uint64)
    eight = np.uint64(8)
    # Byte by byte over all messages, so that the bytes of one step must lie side by side.
    for octets in np.ascontiguousarray(messages.T):
        state = _TABLE[(state.astype(np.uint8)) ^ octets] ^ (state >> eight)
    return ~state
