import numpy as np
import pytest

from sensorfusion.formats.point_time import point_times

SCAN_S = np.array([0, 0.025, 0.05, 0.1])
OFFSET_NS = [0, 25_000_000, 50_000_000, 100_000_000]


@pytest.mark.parametrize(
    ("unit", "scale", "kind"),
    [
        ("s", 1, "f4"), ("s", 1, "f8"), ("ms", 1e3, "u2"), ("us", 1e6, "u4"), ("us", 1e6, "i8"),
        ("ns", 1e9, "u4"), ("ns", 1e9, "u8"),
    ],
)  # fmt: skip
def test_times_that_count_from_the_scan_say_their_unit_by_its_length(unit, scale, kind):
    times = point_times((SCAN_S * scale).astype(kind))
    assert (times.unit, times.base_ns) == (unit, None)
    assert np.abs(times.offset_ns - OFFSET_NS).max() <= 2


@pytest.mark.parametrize(("unit", "scale"), [("ms", 1e3), ("us", 1e6), ("ns", 1e9)])
def test_floats_that_as_seconds_were_no_scan_say_their_unit_by_its_length(unit, scale):
    times = point_times((SCAN_S * scale).astype("f4"))
    assert times.unit == unit
    assert np.abs(times.offset_ns - OFFSET_NS).max() <= 2


def test_a_name_that_says_seconds_counts_however_long_a_file_took():
    times = point_times(np.array([0.0, 1800.0]), in_seconds=True)
    assert times.offset_ns.tolist() == [0, 1_800_000_000_000]


@pytest.mark.parametrize(
    ("unit", "scale", "kind"),
    [("s", 1, "f8"), ("ms", 1e3, "u8"), ("us", 1e6, "i8"), ("ns", 1e9, "u8")],
)
def test_times_since_the_epoch_say_their_unit_by_their_size(unit, scale, kind):
    whole = 1_600_000_000 * int(scale)
    values = (SCAN_S * scale).astype(kind) + np.array(whole).astype(kind)
    times = point_times(values)
    assert (times.unit, times.base_ns) == (unit, 1_600_000_000_000_000_000)
    assert np.abs(times.offset_ns - OFFSET_NS).max() < 500


def test_nanoseconds_since_the_epoch_are_exact():
    values = np.array([1_600_000_000_000_000_001, 1_600_000_000_000_000_003], "u8")
    times = point_times(values)
    assert times.base_ns == 1_600_000_000_000_000_001
    assert times.offset_ns.tolist() == [0, 2]


def test_a_clock_that_runs_since_something_else_counts_from_its_first_point():
    times = point_times(np.array([250_000.0, 250_000.05, 250_000.1]))
    assert times.base_ns is None
    assert np.abs(times.offset_ns - [0, 50_000_000, 100_000_000]).max() < 10


def test_times_before_the_scan_are_negative():
    assert point_times(np.array([-0.1, 0], "f8")).offset_ns.tolist() == [-100_000_000, 0]
    assert point_times(np.array([-100_000, 0], "i4")).offset_ns.tolist() == [-100_000_000, 0]


def test_all_zero_is_a_scan_of_one_instant():
    assert point_times(np.zeros(3, "u4")).offset_ns.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "values",
    [
        np.array([], "f8"), np.array([0, np.nan]), np.array([0, 1e300]),
        np.array([0, 2**63 - 1]), np.array([-(2**63), 0]), np.array(["a"]),
    ],
)  # fmt: skip
def test_what_says_nothing_is_none(values):
    assert point_times(values) is None
