"""The end of the program at a Ctrl-C that waits for nothing. Imports little: it is needed first."""

import os
import re
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130

# As formats.whole_file names what it has not finished.
_UNFINISHED = re.compile(r"\..+\.[0-9a-f]{8}\.part(\..+)?")
_SHOW_CURSOR = b"\r\x1b[?25h"


def end_now(_number: int = 0, _frame: FrameType | None = None) -> NoReturn:
    """Say that it was interrupted and end at once: a handler of SIGINT.

    No exception is raised: in the middle of an import or of Open3D it would be lost, or come out
    as another with a traceback, and what libraries write on their way out hides the one line.
    """
    with suppress(OSError):
        # A bar may have hidden the cursor of the terminal.
        os.write(2, (_SHOW_CURSOR if os.isatty(2) else b"") + b"sensorfusion: interrupted\n")
    os._exit(INTERRUPTED)


def remove_unfinished(folder: Path, since_s: float) -> None:
    """Remove the temporary files that this run leaves behind when it is ended at once.

    Parameters
    ----------
    folder : Path
        Where the run writes.
    since_s : float
        When the run began, as ``time.time`` gives it; older files are another run's.
    """
    for path in (*folder.glob(".*"), *folder.glob("*/.*")):
        with suppress(OSError):
            # File systems keep time more coarsely than the clock.
            if _UNFINISHED.fullmatch(path.name) and path.stat().st_mtime > since_s - 1:
                path.unlink()
