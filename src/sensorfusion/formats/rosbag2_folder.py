"""Folders of rosbag2: which files their own list names.

References
----------
ros2/rosbag2, rosbag2_storage, "metadata.yaml".
"""

import re
from pathlib import Path
from typing import Final

from sensorfusion.errors import SourceError
from sensorfusion.formats.read_file import read_whole

METADATA: Final = "metadata.yaml"
_LARGEST_BYTES: Final = 1 << 24


def listed_files(folder: Path) -> list[str]:
    """Return the names of a folder's files, in order.

    Parameters
    ----------
    folder : Path
        Holds ``metadata.yaml``.

    Raises
    ------
    SourceError
        If the list cannot be read or names no file.
    """
    path = folder / METADATA
    data = read_whole(path, "the list of a rosbag2 folder", _LARGEST_BYTES)
    # Machines write this file, and of all its YAML only one list of names matters here.
    match = re.search(
        r"^\s*relative_file_paths:[ \t]*(\[[^\]]*\]|(?:\r?\n[ \t]*-[^\r\n]*)+)",
        data.decode("utf-8", "replace"),
        re.MULTILINE,
    )
    listed = re.findall(r"(?:^[ \t]*-|[\[,])[ \t]*([^,\]\r\n]+)", match[1], re.M) if match else []
    # Old versions write the path on the recording machine; nothing outside the folder is read.
    names = [Path(name.strip().strip("\"'")).name for name in listed]
    if not any(names):
        msg = f"{path}: names no file under relative_file_paths; expected those of the recording"
        raise SourceError(msg)
    return names
