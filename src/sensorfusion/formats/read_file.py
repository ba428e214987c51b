"""Files read whole, with one sentence for what goes wrong."""

from pathlib import Path

from sensorfusion.errors import CorruptRecordingError, SourceError


def read_whole(path: Path, expected: str, at_most: int = -1) -> bytes:
    """Read a file.

    Parameters
    ----------
    path : Path
    expected : str
        What the file should hold, for the sentence about an empty one.
    at_most : int
        Bytes to read from its start; -1 for all.

    Raises
    ------
    SourceError
        If that fails.
    CorruptRecordingError
        If there is not one byte: what a full disk or a broken copy leaves behind.
    """
    try:
        with path.open("rb") as file:
            data = file.read(at_most)
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror}); check the name and its permissions"
        raise SourceError(msg) from error
    if not data:
        raise CorruptRecordingError(
            path, 0, "a file that is empty (0 bytes)", expected, "copy or export the file again"
        )
    return data
