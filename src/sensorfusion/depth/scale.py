"""Scale: from what a sensor stores to metres; the only place with a unit."""

from collections.abc import Iterable
from functools import lru_cache
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera, ray_table
from sensorfusion.depth import _kernels
from sensorfusion.depth_map import DepthMap, RawDepth
from sensorfusion.errors import DepthScaleError
from sensorfusion.frame import Measurement
from sensorfusion.image import Image
from sensorfusion.point_cloud import PointCloud
from sensorfusion.relative_depth import RelativeDepth
from sensorfusion.stereo_pair import StereoPair

FRAMES_CHECKED = 10
"""How many frames with depth :func:`check_scale` looks at: a few odd ones change nothing."""

_NEAREST_MEDIAN_M = 0.02
_FARTHEST_MEDIAN_M = 100.0
# A LiDAR on an aircraft, or a survey; a room in millimetres is farther.
_FARTHEST_MEDIAN_OF_LIDAR_M = 2000.0
_SATURATED = 65535
_PIXELS_CHECKED = 10_000


def to_metres(raw: RawDepth) -> DepthMap:
    """Return depth in metres, along z whatever the sensor stored.

    0, negative values, NaN and infinity are no depth, and so is 65535 in uint16: sensors write it
    when they saturate and data sets when they have no value, so it says nothing about distance.
    All of these are :attr:`Origin.NO_RETURN`.

    Parameters
    ----------
    raw : RawDepth
        uint16 or float32 (H, W), in units of ``raw.unit_m``; of kind ``range`` when it holds the
        length of the ray, which is divided by sqrt(1 + (x/z)^2 + (y/z)^2).

    Returns
    -------
    DepthMap
        float32 (H, W), metres along z of ``raw.camera``.

    Raises
    ------
    DepthScaleError
        If the unit is not a positive number.
    """
    if not 0 < raw.unit_m < np.inf:
        msg = (
            f"depth of camera {raw.camera.name!r}: one unit is {raw.unit_m} m; expected a positive "
            "number; take it from the device or the recording (0.001 for millimetres)"
        )
        raise DepthScaleError(msg)
    end = _SATURATED if raw.values.dtype == np.uint16 else np.inf
    metres = np.empty(raw.values.shape, np.float32)
    values = np.ascontiguousarray(raw.values).reshape(-1)
    _kernels.metres(values, raw.unit_m, end, metres.reshape(-1))
    if raw.kind == "range":
        metres *= _z_per_range(raw.camera)
    return DepthMap(metres, raw.camera, raw.timestamp_ns)


def check_scale(measurements: Iterable[Measurement]) -> bool:
    """Refuse a recording whose depth cannot be metres under the unit that came with it.

    The median depth of each of the first ten frames that hold depth is taken, and the median of
    those is judged: a hand before the lens in one frame changes nothing, a wrong unit is in all.

    Parameters
    ----------
    measurements : iterable of Measurement
        Of one sensor, from the start of the recording. Read up to the tenth with depth; if none
        has any, there is nothing to judge. Pictures and relative depth have none.

    Returns
    -------
    bool
        Whether there was anything to judge.

    Raises
    ------
    DepthScaleError
        If the median is below 0.02 m or above 100 m (2 km of a LiDAR), or a unit is not a positive
        number.
    """
    judged = ((_median_m(one), isinstance(one, PointCloud)) for one in measurements)
    seen = list(islice((one for one in judged if one[0] > 0), FRAMES_CHECKED))
    if not seen:
        return False
    median_m = float(np.median([median for median, _ in seen]))
    farthest_m = _FARTHEST_MEDIAN_OF_LIDAR_M if seen[0][1] else _FARTHEST_MEDIAN_M
    if median_m < _NEAREST_MEDIAN_M:
        question = "did you pass metres as millimetres?"
    elif median_m > farthest_m:
        question = "did you pass millimetres as metres?"
    else:
        return True
    msg = (
        f"median depth {median_m:.2g} m over {len(seen)} frames: {question} A depth sensor sees "
        f"from {_NEAREST_MEDIAN_M} m to {farthest_m:g} m; correct the unit of the recording"
    )
    raise DepthScaleError(msg)


def _median_m(measurement: Measurement) -> float:
    """Return the median depth, or range, of a measurement; 0 if it holds none."""
    if isinstance(measurement, (StereoPair, RelativeDepth, Image)):
        return 0.0
    if isinstance(measurement, PointCloud):
        some = measurement.points[:: max(1, len(measurement) // _PIXELS_CHECKED)]
        return float(np.median(np.linalg.norm(some, axis=1))) if len(some) else 0.0
    depth = to_metres(measurement) if isinstance(measurement, RawDepth) else measurement
    # Some thousand pixels spread over the picture settle a median; a full sort takes 5 ms.
    step = max(1, int(np.sqrt(depth.metres.size / _PIXELS_CHECKED)))
    some = depth.metres[::step, ::step]
    some = some[some > 0]
    if not some.size:
        some = depth.metres[depth.metres > 0]
    return float(np.median(some)) if some.size else 0.0


@lru_cache(maxsize=4)
def _z_per_range(camera: Camera) -> NDArray[np.float32]:
    """Return z over ray length of every pixel, float32 (H, W); 0 where a pixel has no ray."""
    x, y = np.moveaxis(ray_table(camera).astype(np.float64), -1, 0)
    z_per_range = 1.0 / np.sqrt(1.0 + x * x + y * y)
    return np.where(np.isnan(z_per_range), 0.0, z_per_range).astype(np.float32)
