"""Point cloud: what one scan of a LiDAR measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LAYERS: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {
    "intensity": (np.float32, ()),
    "ring": (np.uint16, ()),
    "column": (np.int32, ()),
    "time_offset_ns": (np.int64, ()),
    "color": (np.uint8, (3,)),
    "normals": (np.float32, (3,)),
}


@dataclass(frozen=True, slots=True, eq=False)
class PointCloud:
    """Points of one scan, in the coordinate system of the sensor that measured them.

    Attributes
    ----------
    points : ndarray of float32, shape (N, 3), contiguous
        Metres, all finite: a point without a return is left out and counted in ``missing``.
    coordinate_system : str
        Name of the LiDAR in the rig, or of where the points were moved.
    timestamp_ns : int
        The instant from which ``time_offset_ns`` counts.
    intensity : ndarray of float32, shape (N,), or None
        As the sensor gave it; no unit.
    ring : ndarray of uint16, shape (N,), or None
        Beam of each point; the row of an organised cloud.
    column : ndarray of int32, shape (N,), or None
        Firing of each point within the scan; the column of an organised cloud.
    time_offset_ns : ndarray of int64, shape (N,), or None
        When each point was measured, after ``timestamp_ns``.
    color : ndarray of uint8, shape (N, 3), or None
        Red, green, blue (sRGB).
    normals : ndarray of float32, shape (N, 3), or None
        Unit vectors, in the coordinate system of the points.
    extra : mapping of str to ndarray, shape (N, ...)
        Other fields of the recording, by their names there.
    empty_beams : ndarray of float32, shape (M, 3), or None
        Unit directions of beams that were fired and found nothing within range: free space. None
        where the recording does not say which those were.
    missing : int
        Points of the recording that were left out because a coordinate was not finite, or all
        were 0: no return.

    Raises
    ------
    ValueError
        If a dtype or shape is another, or a coordinate is not finite.
    """

    points: NDArray[np.float32]
    coordinate_system: str
    timestamp_ns: int = 0
    intensity: NDArray[np.float32] | None = None
    ring: NDArray[np.uint16] | None = None
    column: NDArray[np.int32] | None = None
    time_offset_ns: NDArray[np.int64] | None = None
    color: NDArray[np.uint8] | None = None
    normals: NDArray[np.float32] | None = None
    extra: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    empty_beams: NDArray[np.float32] | None = None
    missing: int = 0

    def __post_init__(self) -> None:
        _check("points", self.points, np.float32, (len(self.points), 3))
        # One pass and no temporary: NaN and infinity both spoil a sum of products.
        flat = self.points.reshape(-1)
        with np.errstate(invalid="ignore", over="ignore"):
            sound = np.isfinite(np.dot(flat, flat))
        if not sound and not np.isfinite(flat).all():
            msg = "points hold NaN or infinity; leave such points out and count them in missing"
            raise ValueError(msg)
        count = len(self.points)
        for name, (dtype, shape) in _LAYERS.items():
            layer = getattr(self, name)
            if layer is not None:
                _check(name, layer, dtype, (count, *shape))
        for name, values in self.extra.items():
            if values.shape[:1] != (count,):
                msg = f"extra {name!r} has shape {values.shape}; expected {count} rows"
                raise ValueError(msg)
        if self.empty_beams is not None:
            _check("empty_beams", self.empty_beams, np.float32, (len(self.empty_beams), 3))

    def __len__(self) -> int:
        return len(self.points)

    def subset(self, rows: NDArray[np.integer]) -> "PointCloud":
        """Return the cloud with these points alone, every layer with them.

        Parameters
        ----------
        rows : ndarray of int, shape (K,)
        """
        layers: dict[str, Any] = {name: getattr(self, name) for name in ("points", *_LAYERS)}
        taken: dict[str, Any] = {
            name: None if layer is None else layer[rows] for name, layer in layers.items()
        }
        taken["extra"] = {name: values[rows] for name, values in self.extra.items()}
        return replace(self, **taken)


def _check(name: str, layer: NDArray[Any], dtype: type[np.generic], shape: tuple[int, ...]) -> None:
    if layer.dtype != dtype or layer.shape != shape:
        msg = f"{name} is {layer.dtype} {layer.shape}; expected {np.dtype(dtype)} {shape}"
        raise ValueError(msg)
