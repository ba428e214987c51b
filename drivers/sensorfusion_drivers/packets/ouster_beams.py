"""Where the beams of an Ouster sensor go.

References
----------
Ouster, "Software User Manual" (firmware 2.3 and 3.1), "Lidar range to XYZ" and "Lidar to sensor".
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.lidar import Lidar
from sensorfusion_drivers.packets.ouster_metadata import OusterMetadata
from sensorfusion_drivers.packets.ouster_packets import Profile

# Ouster, OS1 data sheet (Rev 6): a standard deviation of 0.7 cm below 1 m, 1 cm to 20 m, 2 cm to
# 50 m and 5 cm beyond, on a surface that reflects 10 %: a line between.
_CONSTANT_M: Final = 0.007
_LINEAR: Final = 0.0005
# Data sheets, "beam divergence" (full width at half maximum, degrees), by product.
_DIVERGENCE_DEG: Final = {"OS-0": 0.35, "OS-1": 0.18, "OS-2": 0.09}
_WIDTH_OF_SIGMA: Final = 2.3548  # full width at half maximum of a Gaussian


@dataclass(frozen=True, slots=True, eq=False)
class Beams:
    """Every beam of a revolution: a range ``r`` lies at ``origin + r * direction``.

    Attributes
    ----------
    direction : ndarray of float32, shape (columns, rows, 3)
        Unit vectors in the sensor's coordinate system, rows from the highest beam down.
    origin_m : ndarray of float32, shape (columns, rows, 3)
        The point of range 0, metres.
    shift : ndarray of int64, shape (rows,)
        Firings until the column of this row looks where a beam of azimuth 0 looks in this one.
    channel : ndarray of int64, shape (rows,), or slice
        Channel of the packet that each row is; a slice of all where they stand in that order, as
        they mostly do, because that is taken ten times as fast.
    """

    direction: NDArray[np.float32]
    origin_m: NDArray[np.float32]
    shift: NDArray[np.int64]
    channel: NDArray[np.int64] | slice

    @classmethod
    def of(cls, sensor: OusterMetadata) -> "Beams":
        """Return the beams of a sensor."""
        channel = np.argsort(-sensor.altitude_rad, kind="stable")
        altitude = sensor.altitude_rad[channel]
        # The sensor turns clockwise seen from above, its coordinate system is right-handed.
        encoder = 2 * np.pi * (1.0 - np.arange(sensor.columns) / sensor.columns)[:, None]
        around = encoder - sensor.azimuth_rad[channel]
        shape = around.shape
        direction = np.stack(
            [
                np.cos(around) * np.cos(altitude),
                np.sin(around) * np.cos(altitude),
                np.broadcast_to(np.sin(altitude), shape),
            ],
            axis=-1,
        )
        # A range counts from the axis of rotation, along the beam that starts beside it.
        from_axis_m, height_m = sensor.origin_m
        start = np.stack(
            [
                np.broadcast_to(from_axis_m * np.cos(encoder), shape),
                np.broadcast_to(from_axis_m * np.sin(encoder), shape),
                np.full(shape, height_m),
            ],
            axis=-1,
        )
        origin_m = start - np.hypot(from_axis_m, height_m) * direction
        shift = np.rint(sensor.azimuth_rad[channel] * sensor.columns / (2 * np.pi))
        rotation, translation_m = sensor.T_sensor_lidar[:3, :3], sensor.T_sensor_lidar[:3, 3]
        return cls(
            direction=np.ascontiguousarray(direction @ rotation.T, dtype=np.float32),
            origin_m=np.ascontiguousarray(origin_m @ rotation.T + translation_m, dtype=np.float32),
            shift=shift.astype(np.int64),
            channel=slice(None) if (np.diff(channel) > 0).all() else channel,
        )


def lidar_of(sensor: OusterMetadata, name: str, profile: Profile) -> Lidar:
    """Return what the rig says of a sensor; the largest range is the largest that packets hold."""
    divergence_deg = _DIVERGENCE_DEG.get(sensor.product[:4], _DIVERGENCE_DEG["OS-1"])
    # Where the transform tilts the axis, a ring has no elevation of its own.
    upright = np.allclose(sensor.T_sensor_lidar[2, :3], (0, 0, 1))
    elevation_rad = tuple(np.sort(sensor.altitude_rad)[::-1].tolist()) if upright else ()
    return Lidar(
        name=name,
        rings=sensor.rows,
        columns=sensor.columns,
        elevation_rad=elevation_rad,
        far_m=profile.range_mask * profile.unit_mm / 1000.0,
        constant_m=_CONSTANT_M,
        linear=_LINEAR,
        beam_width_rad=float(np.radians(divergence_deg)) / _WIDTH_OF_SIGMA,
    )
