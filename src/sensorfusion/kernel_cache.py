"""A place for compiled code where neither the installation nor the home can be written to.

numba keeps what it compiles beside each module, else in the user's cache folder, and refuses to
compile at all where it can do neither: a read-only installation run by a service without a home.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path

_VARIABLE = "NUMBA_CACHE_DIR"


def choose_kernel_cache(package: Path) -> None:
    """Point numba to a folder of this user's under the temporary folder if it has no other.

    Must run before numba is imported. A ``NUMBA_CACHE_DIR`` that is set is left as it is.

    Parameters
    ----------
    package : Path
        Folder of the package whose modules numba compiles.
    """
    if os.name != "posix" or os.environ.get(_VARIABLE):
        return
    if _can_keep_beside_modules(package) or _can_keep_in_home():
        return
    # Where nothing at all can be written, numba's own error stands.
    with suppress(OSError):
        os.environ[_VARIABLE] = str(_temporary_folder())


def _can_keep_beside_modules(package: Path) -> bool:
    for kernels in (*package.glob("*_kernels.py"), *package.glob("*/*_kernels.py")):
        cache = kernels.parent / "__pycache__"
        if not _writable(cache if cache.is_dir() else kernels.parent):
            return False
    return True


def _can_keep_in_home() -> bool:
    """Try what numba will try: the folder that its ``appdirs`` names."""
    if sys.platform == "darwin":
        caches = "~/Library/Caches"
    else:
        caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    try:
        folder = Path(caches).expanduser() / "numba"
        folder.mkdir(parents=True, exist_ok=True)
    # Without HOME, a user that the system does not know has no home: RuntimeError.
    except (OSError, RuntimeError):
        return False
    return _writable(folder)


def _writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK | os.X_OK)


def _temporary_folder() -> Path:
    """Return a folder that nobody else can write to: what lies in it will be executed."""
    import tempfile  # noqa: PLC0415, takes as long to import as all else here

    folder = Path(tempfile.gettempdir()) / f"sensorfusion-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    # Not following links: another user may have put one there first.
    found = folder.lstat()
    ours = found.st_uid == os.getuid() and found.st_mode == 0o040700
    return folder if ours else Path(tempfile.mkdtemp(prefix="sensorfusion-"))
