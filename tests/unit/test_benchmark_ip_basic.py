"""The peer of completion is what its paper describes."""

from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def ip_basic(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import ip_basic

    return ip_basic


def wall(metres=20.0, first_row=30):
    """Return every third pixel of a wall that begins at a row."""
    depth = np.zeros((80, 90), np.float32)
    depth[first_row::3, ::3] = metres
    return depth


def test_columns_are_extrapolated_to_the_top(ip_basic):
    filled = ip_basic.gaussian_extrapolated(wall())
    np.testing.assert_allclose(filled, 20.0, rtol=1e-5)


def test_without_extrapolation_the_top_stays_empty(ip_basic):
    filled = ip_basic.multiscale_bilateral(wall())
    # The cross of 5 x 5 grows the first row by 2, the dilation with 9 x 9 not above that.
    assert (filled[:28] == 0).all()
    np.testing.assert_allclose(filled[28:-3], 20.0, rtol=1e-4)


def test_of_two_depths_the_nearer_grows(ip_basic):
    depth = wall(first_row=0)
    depth[:, 45:] *= 0.25
    filled = ip_basic.gaussian_extrapolated(depth)
    # The diamond grows 5 m by two columns; of the blur, a sixteenth comes from the column beyond.
    assert filled[40, 44] == pytest.approx(5.0 + 15.0 / 16.0)
    assert filled[40, 30] == pytest.approx(20.0)
    # The cross of 7 x 7 grows it by three, and the bilateral blur does not mix the two.
    filled = ip_basic.multiscale_bilateral(depth)
    assert filled[40, 43] == pytest.approx(5.0, abs=0.01)
    assert filled[40, 30] == pytest.approx(20.0, abs=0.01)


def test_a_hole_of_thirty_pixels_is_filled(ip_basic):
    depth = wall(first_row=0)
    depth[26:54, 30:58] = 0
    assert (ip_basic.gaussian_extrapolated(depth) > 0).all()
    assert (ip_basic.multiscale_bilateral(depth)[:, :-3] > 0).all()
