"""Files that are whole or not there: a crash or a full disk never leaves half of one."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sensorfusion.errors import OutputError


def make_folder(folder: Path | str) -> Path:
    """Make a folder for files to come, with those above it, unless it is there.

    Raises
    ------
    OutputError
        If it cannot be made or written to.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{folder}: cannot be made ({error.strerror}); give another folder"
        raise OutputError(msg) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        msg = f"{folder}: cannot be written to; give a folder that is yours"
        raise OutputError(msg)
    return folder


@contextmanager
def whole_file(path: Path | str) -> Iterator[Path]:
    """Write a file under a temporary name, and give it its name only when it is complete.

    ::

        with whole_file(folder / "mesh.ply") as temporary:
            temporary.write_bytes(data)

    On a clean end the file is on the disk (fsync of file and folder) under ``path``. On any
    error, Ctrl-C included, the temporary is removed and an old file at ``path`` is untouched.

    Parameters
    ----------
    path : Path or str
        The name in the end; its folder must exist. Through a symbolic link its target is
        replaced, not the link.

    Yields
    ------
    Path
        An empty file beside ``path`` with the same ending, to be opened and written.

    Raises
    ------
    OutputError
        If the file cannot be made, written, flushed or renamed: no space, no permission, no
        such folder, or something that is not a file stands at ``path``.
    """
    path = Path(path)
    # Not Path.resolve, which raises RuntimeError for links that run in a circle.
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.stem}.{secrets.token_hex(4)}.part{target.suffix}")
    try:
        if target.exists() and not target.is_file():
            msg = f"{path}: cannot be written, it exists and is not a file; give another name"
            raise OutputError(msg)
        # Not tempfile: its files are private to the user, ours follow the umask.
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield temporary
        _flush(temporary)
        temporary.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        raise OutputError(_sentence(path, error)) from error
    finally:
        # After the rename nothing stands there any more.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _flush(file: Path) -> None:
    # Opened for writing because Windows refuses to flush what is only read.
    with file.open("r+b") as opened:
        os.fsync(opened.fileno())


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk, where folders can be opened and synced.

    Raises
    ------
    OSError
        If that fails.
    """
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot flush a folder; the file itself is safe by then.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def _sentence(path: Path, error: OSError) -> str:
    advice = {
        errno.ENOSPC: "free some space or write to another disk",
        errno.EDQUOT: "free some of your quota or write to another disk",
        errno.ENOENT: f"make the folder {path.parent} first",
        errno.ENOTDIR: f"{path.parent} is not a folder; give another name",
        errno.EACCES: "write to a folder that is yours",
        errno.EROFS: "write to another disk",
    }.get(error.errno or 0, "write to another place")
    reason = error.strerror or str(error) or type(error).__name__
    return f"{path}: cannot be written whole ({reason}); {advice}"
