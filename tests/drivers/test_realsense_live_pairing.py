"""Pictures that arrive one by one are paired as those of a recording are."""

import numpy as np
import pytest

from sensorfusion.sources.synchronize import pair_by_time
from sensorfusion_drivers.realsense.live_inbox import Inbox
from sensorfusion_drivers.realsense.live_pairing import Alone, Clock, InOrder, Pairs
from sensorfusion_drivers.realsense.live_seam import Arrival

PERIOD_NS = 33_333_333
PIXELS = np.zeros((2, 2), np.uint16)


def arrival(stream, stamp_ns, number=0, *, clock="global_time", late_ns=0, exposure_us=None):
    return Arrival(stream, number, stamp_ns, clock, stamp_ns + late_ns, PIXELS, 0.001, exposure_us)


def pairs(clock=None, tolerance=0.75):
    periods_ns = {"depth": PERIOD_NS, "color": PERIOD_NS}
    return Pairs(clock or Clock(), periods_ns, int(tolerance * PERIOD_NS))


def stamps(items):
    return [tuple(one.stamp_ns for one in item) for item in items]


def fed(sorter, arrivals):
    items = [item for one in arrivals for item in sorter.add(one)]
    return stamps(items + sorter.flush())


def both(depth_ns, color_ns):
    arrivals = [arrival("depth", int(t)) for t in depth_ns]
    arrivals += [arrival("color", int(t)) for t in color_ns]
    return sorted(arrivals, key=lambda one: one.arrival_ns)


def test_forty_missing_pictures_of_three_hundred_leave_two_hundred_and_sixty_pairs():
    depth_ns = np.arange(300) * PERIOD_NS
    color_ns = np.delete(depth_ns, np.arange(50, 90)) + 2_000_000
    sorter = pairs()
    found = fed(sorter, both(depth_ns, color_ns))
    assert len(found) == 260
    assert all(color - depth == 2_000_000 for depth, color in found)
    assert sorter.unpaired == {"depth": 40, "color": 0}


@pytest.mark.parametrize("seed", range(20))
def test_pairs_are_those_of_the_whole_recording(seed):
    rng = np.random.default_rng(seed)
    offset_ns = rng.integers(-PERIOD_NS // 2, PERIOD_NS // 2)
    streams = []
    for start_ns in (0, offset_ns):
        jitter_ns = rng.integers(-PERIOD_NS // 20, PERIOD_NS // 20, 80)
        stamps_ns = 10**9 + start_ns + np.arange(80) * PERIOD_NS + jitter_ns
        streams.append(stamps_ns[rng.random(80) > 0.2])
    sorter = pairs()
    found = fed(sorter, both(*streams))
    expected = pair_by_time(*streams, int(0.75 * PERIOD_NS))
    assert found == [(streams[0][i], streams[1][j]) for i, j in expected]
    assert sorter.unpaired["depth"] == len(streams[0]) - len(expected)
    assert sorter.unpaired["color"] == len(streams[1]) - len(expected)


def test_a_good_pair_is_handed_out_without_waiting_for_the_next_picture():
    sorter = pairs()
    assert sorter.add(arrival("depth", 0)) == []
    assert stamps(sorter.add(arrival("color", 1_000_000))) == [(0, 1_000_000)]


def test_depth_waits_a_quarter_of_a_second_for_colour_that_has_stopped():
    sorter = pairs()
    fed(sorter, both([0], [0]))
    times_ns = [PERIOD_NS * index for index in range(1, 10)]
    counts = []
    for time_ns in times_ns:
        assert sorter.add(arrival("depth", time_ns)) == []
        counts.append(sorter.unpaired["depth"])
    # Number 9 comes 267 ms after number 1, which is given up then.
    assert counts == [0, 0, 0, 0, 0, 0, 0, 0, 1]


def test_stamps_of_two_clocks_are_paired_by_arrival():
    clock = Clock()
    sorter = pairs(clock)
    box = Inbox(("depth", "color"), clock, sorter, 1 << 20, drop_oldest=True)
    for index in range(3):
        now_ns = index * PERIOD_NS
        box.put(arrival("depth", now_ns, index, late_ns=5_000_000))
        box.put(arrival("color", now_ns + 10**15, index, clock="system_time", late_ns=-(10**15)))
    assert stamps(box.rest()) == [(i * PERIOD_NS, i * PERIOD_NS + 10**15) for i in range(3)]
    assert clock.by_arrival


def test_samples_come_in_order_of_time_across_streams():
    sorter = InOrder(Clock(), ("depth", "color"))
    # Colour reaches the computer 20 ms after depth of the same instant.
    arrivals = [arrival("depth", index * 33, late_ns=0) for index in range(5)]
    arrivals += [arrival("color", index * 33 - 10, late_ns=20) for index in range(5)]
    arrivals.sort(key=lambda one: one.arrival_ns)
    found = [stamp for (stamp,) in fed(sorter, arrivals)]
    assert found == sorted(found)
    assert len(found) == 10


def filled(box, count, step=1):
    for index in range(0, count, step):
        box.put(arrival("depth", index * PERIOD_NS, index))
    return [item[0].number for item in box.rest()]


def inbox(*, drop_oldest, frames=3):
    return Inbox(("depth",), Clock(), Alone(), frames * PIXELS.nbytes, drop_oldest=drop_oldest)


def test_a_full_inbox_of_frames_lets_the_oldest_go_and_counts_them():
    box = inbox(drop_oldest=True)
    assert filled(box, 10) == [7, 8, 9]
    assert (box.counts["depth"].dropped, box.counts["depth"].delivered) == (7, 3)


def test_a_full_inbox_of_samples_refuses_what_is_new_and_counts_it():
    box = inbox(drop_oldest=False)
    assert filled(box, 10) == [0, 1, 2]
    assert (box.counts["depth"].dropped, box.counts["depth"].delivered) == (7, 3)


def test_holes_in_the_cameras_count_are_missing_pictures():
    box = inbox(drop_oldest=True, frames=100)
    assert filled(box, 10, step=3) == [0, 3, 6, 9]
    assert box.counts["depth"].missing == 6


def test_a_camera_that_counts_from_zero_again_has_lost_nothing():
    box = inbox(drop_oldest=True, frames=100)
    filled(box, 10)
    box.restarted()
    filled(box, 10)
    assert box.counts["depth"].missing == 0


def exposed(exposures_us):
    box = inbox(drop_oldest=True, frames=1000)
    for index, exposure_us in enumerate(exposures_us):
        box.put(arrival("depth", index * PERIOD_NS, index, exposure_us=exposure_us))
    return [item[0].number for item in box.rest()], box.counts["depth"].warming_up


def test_frames_before_the_exposure_is_steady_are_left_out_and_counted():
    numbers, warming_up = exposed([33000, 20000, 12000, 8000, 8000, 8100, 8000, 8000, 8000])
    # Five within 5 % of each other: 8000 8000 8100 8000 8000.
    assert numbers == [7, 8]
    assert warming_up == 7


def test_an_exposure_that_never_settles_is_waited_for_sixty_frames():
    numbers, warming_up = exposed([1000 * (1 + index % 2) for index in range(70)])
    assert numbers == list(range(59, 70))
    assert warming_up == 59


def test_nothing_is_left_out_where_the_camera_does_not_tell_its_exposure():
    assert exposed([None] * 4) == ([0, 1, 2, 3], 0)


def test_what_came_is_delivered_or_counted():
    clock = Clock()
    box = Inbox(("depth", "color"), clock, pairs(clock), 4 * PIXELS.nbytes, drop_oldest=True)
    rng = np.random.default_rng(5)
    for index in range(200):
        for stream in ("depth", "color"):
            if rng.random() > 0.2:
                box.put(arrival(stream, index * PERIOD_NS, index, exposure_us=100 + index // 100))
        if index % 7 == 0:
            box.get(0)
    box.rest()
    for stream, counts in box.counts.items():
        accounted = counts.warming_up + counts.dropped + counts.delivered + box.unpaired[stream]
        assert counts.received == accounted
        assert min(counts.warming_up, counts.dropped, counts.delivered) > 0
