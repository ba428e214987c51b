"""PFM, a picture of floats, as Middlebury distributes disparities."""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import CorruptRecordingError
from sensorfusion.formats.read_file import read_whole

_HEADER = re.compile(rb"Pf\s+(\d{1,6})\s+(\d{1,6})\s+(-?\d{1,9}(?:\.\d{1,9})?)\s")
_LONGEST_HEADER = 64


def read_pfm(path: Path) -> NDArray[np.float32]:
    """Read one channel.

    Returns
    -------
    ndarray of float32, shape (H, W)
        The first row is the upper one, which the file has last.

    Raises
    ------
    SourceError
        If the file cannot be read.
    CorruptRecordingError
        If it is no PFM of one channel, or has another length than its header says.

    References
    ----------
    Debevec, "PFM portable float map image format", as netpbm documents it.
    """
    data = read_whole(path, "a PFM picture")
    header = _HEADER.match(data[:_LONGEST_HEADER])
    if header is None:
        found, expected = repr(data[:12]), "Pf, width, height and scale: PFM of one channel"
        raise CorruptRecordingError(path, 0, found, expected, "give a disparity map in PFM")
    width, height = int(header[1]), int(header[2])
    size = len(data) - header.end()
    if not width * height or size != 4 * width * height:
        found = f"{size} bytes for {width}x{height} floats"
        expected = f"{4 * width * height} bytes"
        raise CorruptRecordingError(path, header.end(), found, expected, "copy the file again")
    order = "<f4" if float(header[3]) < 0 else ">f4"
    rows = np.frombuffer(data, order, offset=header.end()).reshape(height, width)
    return rows[::-1].astype(np.float32)
