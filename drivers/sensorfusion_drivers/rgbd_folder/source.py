"""Frames of an RGB-D folder, decoded when they are asked for."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.depth_map import DepthKind, RawDepth
from sensorfusion.errors import CalibrationError, SourceError, UnsupportedRecordingError
from sensorfusion.formats.depth_encodings import EncodingName
from sensorfusion.formats.intrinsics import PinholeIntrinsics
from sensorfusion.frame import Frame, Sample
from sensorfusion.image import Image
from sensorfusion.noise import DepthNoise
from sensorfusion.rig import Rig
from sensorfusion.sources.driver import SeekableFrameSource
from sensorfusion.transform import RigidTransform
from sensorfusion_drivers.pictures import picture_size, read_color, read_depth
from sensorfusion_drivers.rgbd_folder.calibration import (
    NOMINAL,
    PRIMESENSE,
    PRIMESENSE_NOTE,
    camera_for,
    find_intrinsics,
    read_down,
)
from sensorfusion_drivers.rgbd_folder.encoding import DepthEncoding, judge
from sensorfusion_drivers.rgbd_folder.listing import Listing, Pair, Picture
from sensorfusion_drivers.rgbd_folder.tum_writer import RIG_FILE

# Some of a recording show what its numbers mean; each costs its decoding.
_JUDGED = 3


@dataclass(frozen=True, slots=True)
class Given:
    """What the user says of a folder, each in place of what its files or its layout say.

    Attributes
    ----------
    intrinsics : Path or None
        File, or ``primesense`` for the nominal camera of that make.
    encoding : str or None
        Name of the encoding of depth.
    depth_unit_m : float or None
        Metres per unit.
    depth_kind : {"z", "range"}
    sensor : str or None
        Product that took the depth.
    """

    intrinsics: Path | None = None
    encoding: EncodingName | None = None
    depth_unit_m: float | None = None
    depth_kind: DepthKind = "z"
    sensor: str | None = None

    def meaning(self, listing: Listing, stated_m: float | None) -> tuple[DepthEncoding, str]:
        """Return how depth is meant, and what was assumed for it.

        Parameters
        ----------
        listing : Listing
        stated_m : float or None
            Metres per unit, as a file beside the pictures says it.
        """
        near = self.sensor == "d405"
        if self.encoding is not None:
            return DepthEncoding(self.encoding, None, self.depth_kind, near), ""
        known_m = self.depth_unit_m or stated_m
        if known_m is not None:
            return DepthEncoding(None, known_m, self.depth_kind, near), ""
        by_layout = DepthEncoding(None, listing.unit_m, self.depth_kind, near, stated=False)
        return by_layout, listing.assumed


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
    notes : tuple of str

    Raises
    ------
    DepthScaleError
        If the first depth pictures cannot be meant so.
    """

    def __init__(
        self,
        listing: Listing,
        rig: Rig,
        encoding: DepthEncoding,
        down_world: NDArray[np.float64] | None,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.rig = rig
        self.notes = (*notes, *_doubts(listing, encoding))
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
        return self._encoding.read(values, camera, picture.timestamp_ns, picture.path)

    def _color(self, picture: Picture) -> Image:
        pixels = read_color(picture.path)
        _check_size(pixels.shape, self.rig.cameras["color"], picture.path)
        return Image(pixels, "color", picture.timestamp_ns)


def open_folder(listing: Listing, folder: Path, given: Given) -> RgbdFolderSource:
    """Open a listed folder.

    Raises
    ------
    SourceError
        If there is not one frame, or depth and colour differ in size.
    CalibrationError
        If there are no intrinsics, or they do not fit the pictures.
    DepthScaleError
        If depth cannot be meant as ``given`` or the layout say.
    """
    if not listing.pairs:
        losses = listing.losses()
        msg = (
            f"{folder}: not one depth picture can be a frame; "
            f"unpaired: {losses.unpaired}, dropped: {losses.dropped}; check the file names"
        )
        raise SourceError(msg)
    if given.intrinsics is None and (folder / RIG_FILE).is_file():
        return _open_with_rig(listing, folder, given)
    found, path, notes = _intrinsics(folder, given)
    size, has_color = _common_size(listing.pairs[0], folder)
    names = ("depth", "color") if has_color else ("depth",)
    cameras = {name: camera_for(name, size, found, path) for name in names}
    registered = (RigidTransform.identity("color", "depth"),) if has_color else ()
    noise = DepthNoise.of_device(given.sensor or listing.sensor, cameras["depth"].fx)
    rig = Rig(cameras, registered, depth_noise={"depth": noise})
    encoding, assumed = given.meaning(listing, found.depth_unit_m)
    notes += (assumed,) if assumed else ()
    return RgbdFolderSource(listing, rig, encoding, read_down(folder), notes)


def _intrinsics(folder: Path, given: Given) -> tuple[PinholeIntrinsics, Path, tuple[str, ...]]:
    if given.intrinsics == NOMINAL:
        return PRIMESENSE, folder, (PRIMESENSE_NOTE,)
    return *find_intrinsics(folder, given.intrinsics), ()


def _open_with_rig(listing: Listing, folder: Path, given: Given) -> RgbdFolderSource:
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
    if any(rig.time_offsets_ns.values()):
        msg = (
            f"{folder / RIG_FILE}: time_offsets_ns, which the drivers clouds and ros apply; "
            "here change the time stamps in the lists, and take the table out of the file"
        )
        raise CalibrationError(msg)
    cameras = {name: rig.cameras[name] for name in names}
    registered = (rig.transform("color", "depth"),) if listing.color else ()
    noise = {name: value for name, value in rig.depth_noise.items() if name in cameras}
    placed = Rig(cameras, registered, depth_noise=noise)
    encoding, assumed = given.meaning(listing, None)
    notes = (assumed,) if assumed else ()
    return RgbdFolderSource(listing, placed, encoding, read_down(folder), notes)


def _doubts(listing: Listing, encoding: DepthEncoding) -> tuple[str, ...]:
    """Look at some depth pictures from the start to the end, and say what is doubtful."""
    chosen = sorted({round(i) for i in np.linspace(0, len(listing.pairs) - 1, _JUDGED)})
    paths = [listing.pairs[index].depth.path for index in chosen]
    pictures = []
    for path in paths:
        # A damaged one is told of when its frame is asked for.
        with suppress(SourceError):
            pictures.append(read_depth(path))
    return judge(pictures, encoding, paths[0])


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
