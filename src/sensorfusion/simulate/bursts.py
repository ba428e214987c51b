"""Bursts in a motion: twice what a tracker is used to for half a second, exactly known.

About every two seconds the hand lunges on along its way and turns on about its axis, and comes
back slowly. Offset and turn are added to the usual motion, so that the path stays where it was.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BURST_M_S = 1.0
BURST_RAD_S = np.deg2rad(120.0)
PERIOD_S = 2.0
_EARLIEST_S = (0.1, 0.4)
_LASTS_S = (0.4, 0.6)
_DIFFERENCE_S = 1e-4
_INSTANTS = 201

Motion = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Returns ``T_world_camera``, float64 (N, 4, 4), metres, at instants in seconds, float64 (N,)."""


@dataclass(frozen=True, slots=True, eq=False)
class _Burst:
    """When a burst happens, seconds, and how far it goes in world and camera coordinates."""

    start_s: float
    lasts_s: float
    back_s: float
    offset_m: NDArray[np.float64]
    turn_rad: NDArray[np.float64]

    def share(self, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how much of the way is gone at instants, 0 to 1 and back to 0."""
        there = (time_s - self.start_s) / self.lasts_s
        back = (time_s - self.start_s - self.lasts_s) / (self.back_s - self.start_s - self.lasts_s)
        return _smooth_step(there) - _smooth_step(back)


def with_bursts(usual: Motion, seed: int) -> Motion:
    """Return a motion with bursts in each of which speed peaks at 1 m/s, turn at 120 degrees/s.

    There is one burst of 0.4 to 0.6 s in every 2 s from time 0. The motion can be differentiated
    three times.

    Parameters
    ----------
    usual : callable
        Slower than a burst's peaks, never at rest; see :data:`Motion`.
    seed : int
        Of when the bursts come, not negative.
    """

    def motion(time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        poses = usual(time_s)
        periods = np.floor(time_s / PERIOD_S).astype(np.int64)
        for period in np.unique(periods):
            here = periods == period
            burst = _burst(usual, int(period), seed)
            share = burst.share(time_s[here])
            poses[here, :3, 3] += share[:, None] * burst.offset_m
            poses[here, :3, :3] = poses[here, :3, :3] @ _turned(burst.turn_rad, share)
        return poses

    return motion


def _burst(usual: Motion, period: int, seed: int) -> _Burst:
    """Return the burst of a period, as large as makes its peaks right."""
    rng = np.random.default_rng([seed, 6, period % 2**32])
    start_s = period * PERIOD_S + rng.uniform(*_EARLIEST_S)
    lasts_s = rng.uniform(*_LASTS_S)
    shares: NDArray[np.float64] = np.linspace(0.0, 1.0, _INSTANTS)[1:-1]
    time_s = start_s + lasts_s * shares
    before, now = usual(time_s - _DIFFERENCE_S), usual(time_s)
    change = (usual(time_s + _DIFFERENCE_S) - before) / (2 * _DIFFERENCE_S)
    spin = np.swapaxes(now[:, :3, :3], 1, 2) @ change[:, :3, :3]
    rates_rad_s = np.stack([spin[:, 2, 1], spin[:, 0, 2], spin[:, 1, 0]], axis=-1)
    pace_hz = 140.0 * (shares * (1 - shares)) ** 3 / lasts_s
    offset_m = _added(change[:, :3, 3], pace_hz, BURST_M_S)
    turn_rad = _added(rates_rad_s, pace_hz, BURST_RAD_S)
    return _Burst(start_s, lasts_s, (period + 1) * PERIOD_S, offset_m, turn_rad)


def _added(
    rates: NDArray[np.float64], pace_hz: NDArray[np.float64], peak: float
) -> NDArray[np.float64]:
    """Return what must be added along the middle rate for the sum to peak at ``peak``.

    ``rates`` is (N, 3); the sum at an instant is rate + pace * result. A turn added about a fixed
    axis takes the usual rate along about that axis, which does not change the length of the sum.
    """
    middle = rates[len(rates) // 2]
    direction = middle / np.linalg.norm(middle)
    along = rates @ direction
    # |rate + x pace direction| = peak, the positive root, wherever it is met first.
    reached = -along + np.sqrt(along**2 + peak**2 - (rates**2).sum(axis=1))
    return np.asarray(direction * (reached / pace_hz).min())


def _smooth_step(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 0 to 1 with three derivatives that are 0 at both ends."""
    s = np.clip(share, 0.0, 1.0)
    return np.asarray(s**4 * (35.0 - 84.0 * s + 70.0 * s**2 - 20.0 * s**3))


def _turned(turn_rad: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rotations about one axis by shares of a turn, float64 (N, 3, 3) (Rodrigues)."""
    angle_rad = float(np.linalg.norm(turn_rad))
    x, y, z = turn_rad / angle_rad
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    sines = np.sin(angle_rad * share)[:, None, None]
    versines = 1.0 - np.cos(angle_rad * share)[:, None, None]
    return np.asarray(np.eye(3) + sines * cross + versines * (cross @ cross))
