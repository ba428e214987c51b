import threading
import time

import numpy as np
import pytest

from sensorfusion.camera import Camera
from sensorfusion.depth_map import RawDepth
from sensorfusion.errors import SourceError
from sensorfusion.frame import Frame
from sensorfusion.rig import Rig
from sensorfusion.sources.driver import FrameSource, Losses, SeekableFrameSource
from sensorfusion.sources.prefetch import prefetch

BROKEN = SourceError("frame is broken")
CAMERA = Camera("depth", 2, 2, 1.0, 1.0, 0.5, 0.5)


def frame(index):
    depth = RawDepth(np.full((2, 2), index, dtype=np.uint16), 0.001, CAMERA, index)
    return Frame(index, index, "depth", depth)


class Recording(SeekableFrameSource):
    """Frames of which the early ones take longest, so that a careless pool mixes them up."""

    def __init__(self, count, broken=None):
        self.rig, self.trajectory, self.down_world = Rig({"depth": CAMERA}), None, None
        self.losses = Losses()
        self.count, self.broken = count, broken
        self.asked, self.threads = [], set()

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        self.asked.append(index)
        self.threads.add(threading.current_thread().name)
        time.sleep(0.002 if index % 2 == 0 else 0)
        if index == self.broken:
            raise BROKEN
        return frame(index)

    def samples(self):
        return iter(())


class Stream(FrameSource):
    """Frames that can only be had in order."""

    def __init__(self, count, broken=None):
        self.rig, self.trajectory, self.down_world = Rig({"depth": CAMERA}), None, None
        self.losses = Losses()
        self.count, self.broken, self.asked = count, broken, []

    def __iter__(self):
        for index in range(self.count):
            self.asked.append(index)
            if index == self.broken:
                raise BROKEN
            yield frame(index)

    def samples(self):
        return iter(())


@pytest.fixture(params=[Recording, Stream])
def kind(request):
    return request.param


@pytest.fixture(autouse=True)
def no_thread_stays():
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def indices(frames):
    return [one.index for one in frames]


@pytest.mark.parametrize("count", [0, 1, 4, 30])
@pytest.mark.parametrize(("threads", "ahead"), [(1, 1), (2, 4), (4, 2), (3, 50)])
def test_every_frame_comes_once_and_in_order(kind, count, threads, ahead):
    assert indices(prefetch(kind(count), threads, ahead)) == list(range(count))


def test_an_error_surfaces_where_its_frame_would_have_come(kind):
    frames = prefetch(kind(10, broken=6))
    assert [next(frames).index for _ in range(6)] == [0, 1, 2, 3, 4, 5]
    with pytest.raises(SourceError, match="frame is broken"):
        next(frames)


def test_no_more_frames_are_decoded_ahead_than_asked(kind):
    source = kind(100)
    frames = prefetch(source, threads=2, ahead=3)
    next(frames)
    time.sleep(0.05)
    # One is in the hands of the caller, three wait.
    assert sorted(source.asked) == [0, 1, 2, 3]
    frames.close()


def test_closing_early_stops_the_threads_at_once(kind):
    frames = prefetch(kind(10_000))
    next(frames)
    started = time.monotonic()
    frames.close()
    assert time.monotonic() - started < 0.5


def test_an_interrupt_in_the_loop_leaves_no_thread(kind):
    def loop():
        for one in prefetch(kind(1000)):
            if one.index == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loop()


def test_a_recording_is_decoded_in_several_threads():
    source = Recording(20)
    list(prefetch(source, threads=2))
    assert len(source.threads) == 2


@pytest.mark.parametrize(("threads", "ahead"), [(0, 4), (2, 0)])
def test_no_thread_and_no_frame_ahead_are_mistakes(threads, ahead):
    with pytest.raises(ValueError, match="at least 1"):
        prefetch(Recording(1), threads, ahead)
