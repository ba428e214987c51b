"""How a person carries a camera through the room: smooth, never still, exactly known."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensorfusion.simulate.bursts import Motion, with_bursts
from sensorfusion.trajectory import Trajectory
from sensorfusion.transform import RigidTransform

FASTEST_M_S = 0.6
FASTEST_RAD_S = np.deg2rad(60.0)
_USUAL_M_S = 0.4
_RATE_HZ = 30.0
_ROUND_S = 12.5
_CENTRE_M = (0.0, 0.0, 1.38)
_RADII_M = (0.80, 0.74)
_MARGIN = 0.98


@dataclass(frozen=True, slots=True)
class _Sway:
    """A sum of sines: amplitudes, angular rates and phases."""

    amplitudes: NDArray[np.float64]
    rates_rad_s: NDArray[np.float64]
    phases_rad: NDArray[np.float64]

    @classmethod
    def of(cls, rng: np.random.Generator, waves: Sequence[tuple[float, float]]) -> "_Sway":
        """Take (amplitude, period in seconds) pairs; the periods are varied, the phases random."""
        amplitudes, periods_s = np.array(waves).T
        periods_s = periods_s * rng.uniform(0.9, 1.1, len(waves))
        return cls(amplitudes, 2 * np.pi / periods_s, rng.uniform(0, 2 * np.pi, len(waves)))

    def at(self, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        angles = time_s[:, None] * self.rates_rad_s + self.phases_rad
        return np.asarray(np.sin(angles) @ self.amplitudes)


class HandHeld:
    """A motion without end: rounds through the middle of the room, looking outwards.

    Parameters
    ----------
    seed : int
        Not negative; gives start, direction and every sway.
    """

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng([seed, 2])
        self._start_rad = rng.uniform(0, 2 * np.pi)
        self._turn = rng.choice([-1.0, 1.0])
        step = ((0.04, 3.2), (0.010, 1.5), (0.0015, 0.45))
        self._position = [_Sway.of(rng, step) for _ in range(2)]
        self._position.append(_Sway.of(rng, ((0.09, 7.5), (0.012, 1.4), (0.0015, 0.45))))
        self._yaw = _Sway.of(rng, ((0.25, 8.0), (0.05, 2.6), (0.004, 0.5)))
        self._pitch = _Sway.of(rng, ((0.20, 6.3), (0.06, 2.9), (0.004, 0.5)))
        self._roll = _Sway.of(rng, ((0.08, 5.1), (0.03, 2.2), (0.003, 0.5)))
        self._pace = 1.0
        self._pace = self._steady_pace()

    def poses(self, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ``T_world_camera`` at instants, float64 (N, 4, 4), metres.

        Parameters
        ----------
        time_s : ndarray of float64, shape (N,)
            Seconds from the start.
        """
        time_s = time_s * self._pace
        around = self._start_rad + self._turn * 2 * np.pi * time_s / _ROUND_S
        centre = np.array(_CENTRE_M) + np.stack([sway.at(time_s) for sway in self._position], -1)
        centre[:, 0] += _RADII_M[0] * np.cos(around)
        centre[:, 1] += _RADII_M[1] * np.sin(around)
        yaw = around + self._yaw.at(time_s)
        pitch = -0.34 + self._pitch.at(time_s)
        poses = np.zeros((len(time_s), 4, 4))
        poses[:, :3, :3] = _looking(yaw, pitch, self._roll.at(time_s))
        poses[:, :3, 3] = centre
        poses[:, 3, 3] = 1.0
        return poses

    def _steady_pace(self) -> float:
        """Return the pace at which 20 s make 8 m and five minutes stay within the limits."""
        times_s: NDArray[np.float64] = np.arange(9000, dtype=np.float64) / _RATE_HZ
        poses = self.poses(times_s)
        speeds = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1) * _RATE_HZ
        turns = np.einsum("nji,njk->nik", poses[:-1, :3, :3], poses[1:, :3, :3])
        cosines = (np.trace(turns, axis1=1, axis2=2) - 1) / 2
        rates = np.arccos(np.clip(cosines, -1, 1)) * _RATE_HZ
        usual = _USUAL_M_S / speeds[: int(20 * _RATE_HZ)].mean()
        fastest = _MARGIN * min(FASTEST_M_S / speeds.max(), FASTEST_RAD_S / rates.max())
        return float(min(usual, fastest))


def hand_motion(seed: int, *, bursts: bool = False) -> Motion:
    """Return the motion of :func:`hand_held` at speed 1 as a function of time.

    Parameters
    ----------
    seed : int
        Not negative.
    bursts : bool
    """
    usual = HandHeld(seed).poses
    return with_bursts(usual, seed) if bursts else usual


def hand_held(
    frames: int, *, seed: int = 0, speed: float = 1.0, bursts: bool = False
) -> Trajectory:
    """Return the motion of a depth camera that a person carries through :func:`room`.

    600 frames at 30 Hz are about 8 m, with at most 0.6 m/s and 60 degrees/s. A longer motion
    begins with the shorter one; time starts at 0.

    Parameters
    ----------
    frames : int
    seed : int
        Not negative.
    speed : float
        Multiplies all speeds, above 0.
    bursts : bool
        Every two seconds half a second is faster: up to 1 m/s and 120 degrees/s.

    Returns
    -------
    Trajectory
        ``T_world_depth``, exact.
    """
    timestamps_ns = np.round(np.arange(frames) * (1e9 / _RATE_HZ)).astype(np.int64)
    times_s: NDArray[np.float64] = speed * 1e-9 * timestamps_ns.astype(np.float64)
    matrices = hand_motion(seed, bursts=bursts)(times_s)
    poses = [RigidTransform("world", "depth", matrix) for matrix in matrices]
    return Trajectory(timestamps_ns.tolist(), poses)


def _looking(
    yaw_rad: NDArray[np.float64], pitch_rad: NDArray[np.float64], roll_rad: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return R_world_camera of cameras that look along yaw (from x to y) and pitch (up)."""
    cy, sy, cp, sp = np.cos(yaw_rad), np.sin(yaw_rad), np.cos(pitch_rad), np.sin(pitch_rad)
    forward = np.stack([cy * cp, sy * cp, sp], axis=-1)
    right = np.stack([sy, -cy, np.zeros_like(cy)], axis=-1)
    down = np.cross(forward, right)
    cr, sr = np.cos(roll_rad)[:, None], np.sin(roll_rad)[:, None]
    return np.stack([cr * right + sr * down, cr * down - sr * right, forward], axis=-1)
