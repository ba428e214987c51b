"""Decode frames ahead of their use, so that reading and reconstruction share the cores."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice, repeat
from typing import TypeVar

from sensorfusion.frame import Frame
from sensorfusion.sources.driver import FrameSource, SeekableFrameSource

T = TypeVar("T")
R = TypeVar("R")


def prefetch(source: FrameSource, threads: int = 2, ahead: int = 4) -> Generator[Frame, None, None]:
    """Yield the frames of a source in order, decoded ahead in threads.

    A recording is decoded by index in a small pool; a source that can only be read in order gets
    one thread. An error of frame n surfaces where frame n would have come. Closing the generator
    (``break``, Ctrl-C) stops the threads.

    Parameters
    ----------
    source : FrameSource
        Must stay open until the generator is closed or exhausted.
    threads : int
        Threads that decode a recording, at least 1.
    ahead : int
        Frames that may wait decoded or in decoding, at least 1: the bound on memory.

    Raises
    ------
    ValueError
        If ``threads`` or ``ahead`` is less than 1.
    """
    if threads < 1 or ahead < 1:
        msg = f"prefetch with {threads} threads, {ahead} frames ahead; both must be at least 1"
        raise ValueError(msg)
    if isinstance(source, SeekableFrameSource):
        return _run_ahead(_by_index(source), threads, ahead)
    return _run_ahead(_in_order(source), 1, ahead)


def map_ahead(
    function: Callable[[T], R], items: Iterable[T], threads: int = 1, ahead: int = 2
) -> Generator[R, None, None]:
    """Yield ``function(item)`` for each item in order, computed ahead in threads.

    Parameters
    ----------
    function : callable
        Called in a thread; must not return None.
    items : iterable
        Taken in the caller's thread.
    threads, ahead : int
        As for :func:`prefetch`.
    """
    return _run_ahead((partial(function, item) for item in items), threads, ahead)


def _by_index(source: SeekableFrameSource) -> Iterator[Callable[[], Frame | None]]:
    for index in range(len(source)):
        yield partial(source.__getitem__, index)


def _in_order(source: FrameSource) -> Iterator[Callable[[], Frame | None]]:
    # One thread takes these jobs in order, so each reads the frame after the last one's.
    return repeat(partial(next, iter(source), None))


def _run_ahead(
    jobs: Iterator[Callable[[], R | None]], threads: int, ahead: int
) -> Generator[R, None, None]:
    """Yield the results of jobs in order until one is None or there are no more."""
    pool = ThreadPoolExecutor(threads, thread_name_prefix="prefetch")
    try:
        waiting = deque(pool.submit(job) for job in islice(jobs, ahead))
        while waiting and (result := waiting.popleft().result()) is not None:
            waiting.extend(pool.submit(job) for job in islice(jobs, 1))
            yield result
    finally:
        # Waits for decodes under way (milliseconds), so that the source can be closed safely.
        pool.shutdown(wait=True, cancel_futures=True)
