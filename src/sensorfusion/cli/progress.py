"""Progress of long work, and Ctrl-C that ends it early and whole."""

import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sensorfusion.cli.interrupt import end_now, remove_unfinished
from sensorfusion.sources.driver import FrameSource, LiveFrameSource

_SECONDS_BETWEEN_LINES = 5.0


class Watch:
    """Shows frames done on stderr and turns the first Ctrl-C into a wish to stop.

    A bar on a terminal, a plain line every few seconds otherwise. The second Ctrl-C ends the
    program at once, with exit code 130.

    Parameters
    ----------
    title : str
        What the work is called.
    out : Path
        Folder that is written to; the second Ctrl-C takes unfinished files out of it.

    Attributes
    ----------
    interrupted : bool
        Whether Ctrl-C was pressed.
    ended_camera : bool
        Whether that ended a camera, which has no end of its own.
    """

    def __init__(self, title: str, out: Path) -> None:
        self.interrupted = self.ended_camera = False
        self._camera: LiveFrameSource | None = None
        self._out, self._start_s = out, time.time()
        self._title = title
        self._last_line_s = time.monotonic()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._task = self._progress.add_task(title, total=None)

    def __enter__(self) -> Self:
        """Start the bar and watch for Ctrl-C."""
        self._before = signal.signal(signal.SIGINT, self._interrupt)
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bar away and give Ctrl-C back its meaning."""
        self._progress.stop()
        signal.signal(signal.SIGINT, self._before)

    def __call__(self, done: int, total: int | None) -> bool:
        """Show how many frames are done; return whether to go on."""
        self._progress.update(self._task, completed=done, total=total)
        now_s = time.monotonic()
        if self._progress.disable and now_s - self._last_line_s > _SECONDS_BETWEEN_LINES:
            self._last_line_s = now_s
            sys.stderr.write(f"{self._title}: {done} of {total or 'unknown'} frames\n")
        return not self.interrupted

    def closes(self, source: FrameSource) -> None:
        """Have the first Ctrl-C end a camera, too: its next frame may be long in coming.

        Parameters
        ----------
        source : FrameSource
            Open. Of a camera ``close`` is called from another thread, which ends its frames; a
            recording is left alone: its frames come by themselves.
        """
        if isinstance(source, LiveFrameSource):
            self._camera = source
            if self.interrupted:
                self._close_camera()

    def _close_camera(self) -> None:
        if self._camera is not None:
            self.ended_camera = True
            # Not in the handler: it may have interrupted whoever holds a lock of the camera's.
            threading.Thread(target=self._camera.close, name="interrupt", daemon=True).start()

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        if self.interrupted:
            remove_unfinished(self._out, self._start_s)
            end_now()
        self.interrupted = True
        self._close_camera()
