"""A folder of depth maps with everything needed to use them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.depth_map import DepthMap, Origin
from sensorfusion.errors import ConfigError, OutputError
from sensorfusion.formats.whole_file import make_folder, whole_file
from sensorfusion.rig import Rig
from sensorfusion.transform import RigidTransform

DepthFormat = Literal["png", "tiff"]
_LARGEST_UNIT = 65534
_JPEG_QUALITY = 90


@dataclass(frozen=True, slots=True)
class _Entry:
    file: str
    index: int
    timestamp_ns: int
    points_in_image: int
    origin: dict[str, int]
    filling: Mapping[str, object]


class DepthMapWriter:
    """Writes ``NNNNNN.png`` (or ``.tiff``), ``preview/NNNNNN.jpg`` and at the end ``depth.json``.

    A PNG has 16 bits: depth in units of ``metres_per_unit``, 0 = no depth, as other programs
    expect it. A TIFF holds float32 metres. Every file is whole or not there; ``depth.json`` is
    written when the ``with`` block ends, also when it is interrupted, and names exactly the maps
    that were written. Use it as a context manager.

    Parameters
    ----------
    folder : Path or str
        Made if it does not exist. A ``depth.json`` in it is removed at the start, because it
        would describe maps that are about to be replaced.
    rig : Rig
        The cameras, and the transforms between them.
    file_format : {"png", "tiff"}
    metres_per_unit : float
        Of the PNG; 0.001 reaches 65.534 m.

    Raises
    ------
    ConfigError
        If the unit is not positive or the format is another.
    OutputError
        If the folder cannot be made.
    """

    def __init__(
        self,
        folder: Path | str,
        rig: Rig,
        file_format: DepthFormat = "png",
        metres_per_unit: float = 0.001,
    ) -> None:
        if file_format not in ("png", "tiff") or not 0 < metres_per_unit < np.inf:
            msg = (
                f"depth as {file_format!r} with {metres_per_unit} m a unit; expected 'png' or "
                "'tiff' and a positive unit"
            )
            raise ConfigError(msg)
        self._folder, self._rig = Path(folder), rig
        self._format, self._unit_m = file_format, metres_per_unit
        self._camera: Camera | None = None
        self._entries: list[_Entry] = []
        self._sigmas: dict[int, str] = {}
        self._placed: RigidTransform | None = None
        try:
            (self._folder / "preview").mkdir(parents=True, exist_ok=True)
            (self._folder / "depth.json").unlink(missing_ok=True)
        except OSError as error:
            msg = f"{folder}: cannot be used as a folder ({error.strerror}); give another name"
            raise OutputError(msg) from error

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        """Write ``depth.json``; on a full disk the error that came first is the one to see."""
        try:
            with whole_file(self._folder / "depth.json") as path:
                path.write_text(json.dumps(self._document(), indent=1) + "\n", encoding="utf-8")
        except OutputError:
            if kind is None:
                raise

    def write(
        self,
        index: int,
        depth: DepthMap,
        preview: NDArray[np.uint8] | None = None,
        points_in_image: int | None = None,
        filling: Mapping[str, object] | None = None,
    ) -> None:
        """Write one map.

        Parameters
        ----------
        index : int
            Number of the frame: the name of the file.
        depth : DepthMap
            All maps of a folder belong to one camera.
        preview : ndarray of uint8, shape (H, W, 3), or None
            The map in colours, red green blue.
        points_in_image : int or None
            Measured points that fell into the picture; None: the pixels with depth.
        filling : mapping or None
            How pixels that nothing measured came to have depth: entries of the map in depth.json.

        Raises
        ------
        OutputError
            If a depth is too large for the unit or a file cannot be written whole.
        ValueError
            If the map belongs to another camera than those before.
        """
        if self._camera is None:
            self._camera = depth.camera
        elif self._camera != depth.camera:
            msg = f"map {index} is of {depth.camera}; those before are of {self._camera}"
            raise ValueError(msg)
        name = f"{index:06d}.{self._format}"
        self._save(self._folder / name, self._pixels(index, depth), [])
        if preview is not None:
            import cv2

            quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
            self._save(self._folder / "preview" / f"{index:06d}.jpg", preview[..., ::-1], quality)
        points = points_in_image
        if points is None:
            points = int(np.count_nonzero(depth.metres))
        self._entries.append(
            _Entry(name, index, depth.timestamp_ns, points, _origin_counts(depth), filling or {})
        )

    def place(self, T_camera_sensor: RigidTransform) -> None:
        """Say where the camera of the maps sits, when the rig does not know it."""
        self._placed = T_camera_sensor

    def write_sigma(self, index: int, depth: DepthMap) -> None:
        """Write the standard deviations of one map as ``sigma/NNNNNN.tiff``, float32 metres."""
        name = f"sigma/{index:06d}.tiff"
        make_folder(self._folder / "sigma")
        self._save(self._folder / name, depth.sigmas_m() * depth.valid, [])
        self._sigmas[index] = name

    def write_overlay(self, index: int, picture: NDArray[np.uint8]) -> None:
        """Write the points over a picture, uint8 (H, W, 3), as ``overlay/NNNNNN.jpg``."""
        import cv2

        make_folder(self._folder / "overlay")
        quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
        self._save(self._folder / "overlay" / f"{index:06d}.jpg", picture[..., ::-1], quality)

    def _pixels(self, index: int, depth: DepthMap) -> NDArray[np.uint16] | NDArray[np.float32]:
        if self._format == "tiff":
            return depth.metres
        units = np.rint(depth.metres / np.float32(self._unit_m))
        if units.max() > _LARGEST_UNIT:
            largest_m = float(depth.metres.max())
            msg = (
                f"depth map {index} reaches {largest_m:.3f} m, 16 bits of {self._unit_m:g} m end "
                f"at {_LARGEST_UNIT * self._unit_m:.3f} m; write tiff, or take a unit of "
                f"{10 ** np.ceil(np.log10(largest_m / _LARGEST_UNIT)):g} m"
            )
            raise OutputError(msg)
        # Half a unit is still depth, and 0 would say that there is none.
        return np.where(depth.metres > 0, np.maximum(units, 1), 0).astype(np.uint16)

    def _save(self, path: Path, pixels: NDArray[Any], options: list[int]) -> None:
        import cv2

        # Encoded in memory: OpenCV's writer of files does not notice a full disk.
        done, data = cv2.imencode(path.suffix, np.ascontiguousarray(pixels), options)
        if not done:
            msg = f"{path}: OpenCV cannot encode {pixels.dtype} {pixels.shape} as {path.suffix}"
            raise OutputError(msg)
        with whole_file(path) as temporary:
            temporary.write_bytes(data.tobytes())

    def _document(self) -> dict[str, Any]:
        cameras = {camera.name: camera for camera in self._rig.cameras.values()}
        if self._camera is not None:
            cameras[self._camera.name] = self._camera
        sigmas = self._sigmas
        placed = () if self._placed is None else (self._placed,)
        return {
            "format": self._format,
            "metres_per_unit": self._unit_m if self._format == "png" else 1.0,
            "no_depth": 0,
            "depth_kind": "z" if self._camera is None else self._camera.depth_kind,
            "camera": None if self._camera is None else _camera_json(self._camera),
            "rig": {
                "cameras": [_camera_json(camera) for camera in cameras.values()],
                "transforms": [
                    {"target": T.target, "source": T.source, "matrix": T.matrix.tolist()}
                    for T in (*self._rig.transforms, *placed)
                ],
            },
            "maps": [
                {
                    "file": entry.file,
                    "index": entry.index,
                    "timestamp_ns": entry.timestamp_ns,
                    "points_in_image": entry.points_in_image,
                    "origin": entry.origin,
                    **({"sigma": sigmas[entry.index]} if entry.index in sigmas else {}),
                    **entry.filling,
                }
                for entry in self._entries
            ],
        }


def _camera_json(camera: Camera) -> dict[str, Any]:
    return {
        "name": camera.name,
        "width": camera.width,
        "height": camera.height,
        "fx": camera.fx,
        "fy": camera.fy,
        "cx": camera.cx,
        "cy": camera.cy,
        "distortion": {
            "model": camera.distortion.model,
            "coefficients": list(camera.distortion.coefficients),
        },
    }


def _origin_counts(depth: DepthMap) -> dict[str, int]:
    """Return how many pixels come from where; those without any are left out."""
    found = np.bincount(depth.origins().ravel(), minlength=len(Origin))
    return {origin.name.lower(): int(found[origin]) for origin in Origin if found[origin]}
