"""Frames of an RGB-D folder, decoded when they are asked for."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.depth_map import DepthKind, RawDepth
from sensorfusion.errors import CalibrationError, SourceError, UnsupportedRecordingError
from sensorfusion.frame import Frame, Sample
from sensorfusion.image import Image
from sensorfusion.noise import DepthNoise
from sensorfusion.rig import Rig
from sensorfusion.sources.driver import SeekableFrameSource
from sensorfusion.transform import RigidTransform
from sensorfusion_drivers.pictures import picture_size, read_color, read_depth
from sensorfusion_drivers.rgbd_folder.calibration import camera_for, find_intrinsics, read_down
from sensorfusion_drivers.rgbd_folder.listing import Listing, Pair, Picture
from sensorfusion_drivers.rgbd_folder.tum_writer import RIG_FILE


@dataclass(frozen=True, slots=True)
class DepthEncoding:
    """How the depth pictures are meant.

    Attributes
    ----------
    unit_m : float
        Metres per unit.
    kind : {"z", "range"}
    """

    unit_m: float
    kind: DepthKind


class RgbdFolderSource(SeekableFrameSource):
    """An open folder; reads files only, so any thread may ask for any frame.

    Parameters
    ----------
    listing : Listing
    rig : Rig
        Camera "depth" and, where there is colour, "color", registered to each other.
    encoding : DepthEncoding
    down_world : ndarray of float64, shape (3,), or None
        Points down in the world of the poses.
    """

    def __init__(
        self,
        listing: Listing,
        rig: Rig,
        encoding: DepthEncoding,
        down_world: NDArray[np.float64] | None,
    ) -> None:
        self.rig = rig
        self.trajectory = listing.trajectory()
        self.down_world = down_world if self.trajectory is not None else None
        self.losses = listing.losses()
        self._listing = listing
        self._encoding = encoding

    def __len__(self) -> int:
        return len(self._listing.pairs)

    def __getitem__(self, index: int) -> Frame:
        """Return frame ``index``.

        Raises
        ------
        IndexError
            If ``index`` is not from 0 to len - 1.
        SourceError
            If a picture cannot be read, is damaged, or has another size than the first.
        """
        if not 0 <= index < len(self):
            msg = f"frame {index} of {len(self)}"
            raise IndexError(msg)
        pair = self._listing.pairs[index]
        return Frame(
            index=index,
            timestamp_ns=pair.depth.timestamp_ns,
            sensor="depth",
            measurement=self._depth(pair.depth),
            images={} if pair.color is None else {"color": self._color(pair.color)},
        )

    def samples(self) -> Iterator[Sample]:
        """Yield every picture that exists, paired or not, in order of time."""
        listed = chain(
            ((picture.timestamp_ns, 0, picture) for picture in self._listing.depth),
            ((picture.timestamp_ns, 1, picture) for picture in self._listing.color),
        )
        for timestamp_ns, stream, picture in sorted(listed, key=lambda item: item[:2]):
            if picture.present and stream == 0:
                yield Sample("depth", timestamp_ns, self._depth(picture))
            elif picture.present:
                yield Sample("color", timestamp_ns, self._color(picture))

    def _depth(self, picture: Picture) -> RawDepth:
        camera = self.rig.cameras["depth"]
        values = read_depth(picture.path)
        _check_size(values.shape, camera, picture.path)
        return RawDepth(
            values, self._encoding.unit_m, camera, picture.timestamp_ns, self._encoding.kind
        )

    def _color(self, picture: Picture) -> Image:
        pixels = read_color(picture.path)
        _check_size(pixels.shape, self.rig.cameras["color"], picture.path)
        return Image(pixels, "color", picture.timestamp_ns)


def open_folder(
    listing: Listing,
    folder: Path,
    intrinsics: Path | None,
    depth_unit_m: float | None,
    depth_kind: DepthKind,
    sensor: str | None,
) -> RgbdFolderSource:
    """Open a listed folder.

    Parameters
    ----------
    listing : Listing
    folder : Path
    intrinsics : Path or None
        File to use in place of one in or above the folder.
    depth_unit_m : float or None
        Metres per unit, in place of what the files or the layout's document say.
    depth_kind : {"z", "range"}
    sensor : str or None
        Product that took the depth, in place of that of the layout.

    Raises
    ------
    SourceError
        If there is not one frame, or depth and colour differ in size.
    CalibrationError
        If there are no intrinsics, or they do not fit the pictures.
    """
    if not listing.pairs:
        losses = listing.losses()
        msg = (
            f"{folder}: not one depth picture can be a frame; "
            f"unpaired: {losses.unpaired}, dropped: {losses.dropped}; check the file names"
        )
        raise SourceError(msg)
    if intrinsics is None and (folder / RIG_FILE).is_file():
        return _open_with_rig(listing, folder, depth_unit_m, depth_kind)
    found, path = find_intrinsics(folder, intrinsics)
    size, has_color = _common_size(listing.pairs[0], folder)
    names = ("depth", "color") if has_color else ("depth",)
    cameras = {name: camera_for(name, size, found, path) for name in names}
    registered = (RigidTransform.identity("color", "depth"),) if has_color else ()
    noise = DepthNoise.of_device(sensor or listing.sensor, cameras["depth"].fx)
    rig = Rig(cameras, registered, depth_noise={"depth": noise})
    unit_m = depth_unit_m or found.depth_unit_m or listing.unit_m
    return RgbdFolderSource(listing, rig, DepthEncoding(unit_m, depth_kind), read_down(folder))


def _open_with_rig(
    listing: Listing, folder: Path, depth_unit_m: float | None, depth_kind: DepthKind
) -> RgbdFolderSource:
    """Open a folder whose own rig file says how its cameras sit to each other."""
    # Imported here: most folders have none.
    from sensorfusion.calibration.rig_file import read_rig  # noqa: PLC0415

    rig = read_rig(folder / RIG_FILE)
    names = ("depth", "color") if listing.color else ("depth",)
    missing = [name for name in names if name not in rig.cameras]
    if missing:
        found = ", ".join(rig.cameras) or "none"
        msg = f"{folder / RIG_FILE}: cameras {found}; expected {' and '.join(names)}; mend the file"
        raise CalibrationError(msg)
    cameras = {name: rig.cameras[name] for name in names}
    registered = (rig.transform("color", "depth"),) if listing.color else ()
    noise = {name: value for name, value in rig.depth_noise.items() if name in cameras}
    placed = Rig(cameras, registered, depth_noise=noise)
    encoding = DepthEncoding(depth_unit_m or listing.unit_m, depth_kind)
    return RgbdFolderSource(listing, placed, encoding, read_down(folder))


def _common_size(pair: Pair, folder: Path) -> tuple[tuple[int, int], bool]:
    """Return width and height of the pictures of a pair, and whether it has colour."""
    size = picture_size(pair.depth.path)
    if pair.color is None:
        return size, False
    color_size = picture_size(pair.color.path)
    if size != color_size:
        msg = (
            f"{folder}: depth has {size[0]}x{size[1]} pixels, colour {color_size[0]}x"
            f"{color_size[1]}; in this layout both are registered to each other and share "
            "intrinsics and size; register them first"
        )
        raise UnsupportedRecordingError(msg)
    return size, True


def _check_size(shape: tuple[int, ...], camera: Camera, path: Path) -> None:
    if shape[:2] != (camera.height, camera.width):
        msg = (
            f"{path}: {shape[1]}x{shape[0]} pixels; expected {camera.width}x{camera.height} like "
            "the first depth picture; remove it or give each size its own folder"
        )
        raise UnsupportedRecordingError(msg)
