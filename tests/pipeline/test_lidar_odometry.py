"""LiDAR odometry beside that of others: the promises, short and long."""

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import lidar_odometry

    yield lidar_odometry
    sys.modules.pop("lidar_odometry", None)


@pytest.fixture
def few_engines(benchmark, monkeypatch):
    """Hold ours against the best of the others alone, and a coarse KISS-ICP."""
    monkeypatch.setattr(benchmark, "KISS_VOXELS_M", (1.0,))
    monkeypatch.setattr(benchmark, "SMALL_GICP", ((1.0, 0.25),))
    return benchmark


@pytest.mark.parametrize(("place", "most"), [("hall", 0.6), ("hall-global", 0.25)])
def test_indoors_ours_errs_by_a_part_of_what_the_others_do(few_engines, place, most):
    found = few_engines.compare(place, 16)
    assert found["refused"] == found["slides"] == 0
    assert found["ours"]["ate_mm"] < most * found[found["best"]]["ate_mm"]


def test_on_a_street_with_plants_and_traffic_ours_errs_less_than_the_others(few_engines):
    found = few_engines.compare("street", 12)
    assert found["refused"] == found["slides"] == 0
    assert found["ours"]["ate_mm"] < found[found["best"]]["ate_mm"]


@pytest.mark.verify
@pytest.mark.parametrize(("place", "most"), [("hall", 0.6), ("hall-global", 0.25), ("street", 1.0)])
def test_over_whole_recordings_ours_errs_by_a_part_of_what_the_others_do(benchmark, place, most):
    found = benchmark.compare(place, None)
    assert found["refused"] == found["slides"] == 0
    assert found["ours"]["ate_mm"] < most * found[found["best"]]["ate_mm"]


@pytest.mark.verify
def test_a_whole_tunnel_is_passed_and_said_to_hold_nothing(benchmark):
    found = benchmark.compare("tunnel", None)
    assert found["refused"] == 0
    assert 80 < found["slides"] < 170
