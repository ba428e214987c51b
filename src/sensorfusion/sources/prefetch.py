"""Decode frames ahead of their use, so that reading and reconstruction share the cores."""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice, repeat

from sensorfusion.frame import Frame
from sensorfusion.sources.driver import FrameSource, SeekableFrameSource


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


_Job = Callable[[], Frame | None]


def _by_index(source: SeekableFrameSource) -> Iterator[_Job]:
    for index in range(len(source)):
        yield partial(source.__getitem__, index)


def _in_order(source: FrameSource) -> Iterator[_Job]:
    # One thread takes these jobs in order, so each reads the frame after the last one's.
    return repeat(partial(next, iter(source), None))


def _run_ahead(jobs: Iterator[_Job], threads: int, ahead: int) -> Generator[Frame, None, None]:
    """Yield the results of jobs in order until one is None or there are no more."""
    pool = ThreadPoolExecutor(threads, thread_name_prefix="prefetch")
    try:
        waiting = deque(pool.submit(job) for job in islice(jobs, ahead))
        while waiting and (frame := waiting.popleft().result()) is not None:
            waiting.extend(pool.submit(job) for job in islice(jobs, 1))
            yield frame
    finally:
        # Waits for decodes under way (milliseconds), so that the source can be closed safely.
        pool.shutdown(wait=True, cancel_futures=True)
