"""Frames of a folder of pictures, decoded when they are asked for."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.depth_map import RawDepth
from sensorfusion.errors import UnsupportedRecordingError
from sensorfusion.formats.depth_encodings import DepthValues
from sensorfusion.formats.pfm import read_pfm
from sensorfusion.frame import Frame, Sample
from sensorfusion.image import Image
from sensorfusion.relative_depth import RelativeDepth, RelativeKind
from sensorfusion.rig import Rig
from sensorfusion.sources.driver import Losses, SeekableFrameSource
from sensorfusion_drivers.image_folder.listing import Listed, Listing
from sensorfusion_drivers.pictures import read_color, read_depth

_METRES, _MILLIMETRES = 1.0, 0.001


class ImageFolderSource(SeekableFrameSource):
    """An open folder; reads files only, so any thread may ask for any frame.

    Parameters
    ----------
    listing : Listing
    camera : Camera
    relative : str or None
        What the files of ``relative/`` mean; None where there are none.
    """

    def __init__(self, listing: Listing, camera: Camera, relative: RelativeKind | None) -> None:
        self.rig = Rig({camera.name: camera})
        self.trajectory = None
        self.down_world = None
        told = [one for one in listing.pictures if relative is None or one.relative is not None]
        dropped = {
            "picture without relative depth": len(listing.pictures) - len(told),
            **{f"{name} without a picture": count for name, count in listing.unpaired.items()},
        }
        self.losses = Losses(
            {camera.name: 0}, {reason: count for reason, count in dropped.items() if count}
        )
        self._pictures, self._camera, self._kind = tuple(told), camera, relative

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> Frame:
        """Return frame ``index``.

        Raises
        ------
        IndexError
            If ``index`` is not from 0 to len - 1.
        SourceError
            If a file cannot be read, is damaged, or has another size than the camera.
        """
        if not 0 <= index < len(self):
            msg = f"frame {index} of {len(self)}"
            raise IndexError(msg)
        listed, name = self._pictures[index], self._camera.name
        image = self._image(listed)
        anchors = {} if listed.anchors is None else {name: self._anchors(listed)}
        measured: Image | RelativeDepth = image
        if self._kind is not None:
            measured = self._relative(listed, self._kind)
        return Frame(index, listed.timestamp_ns, name, measured, {name: image}, anchors)

    def samples(self) -> Iterator[Sample]:
        """Yield every picture, and what stands beside it."""
        for listed in self._pictures:
            yield Sample(self._camera.name, listed.timestamp_ns, self._image(listed))
            if self._kind is not None:
                told = self._relative(listed, self._kind)
                yield Sample("relative", listed.timestamp_ns, told)
            if listed.anchors is not None:
                yield Sample("anchors", listed.timestamp_ns, self._anchors(listed))

    def _image(self, listed: Listed) -> Image:
        pixels = read_color(listed.path)
        self._check(pixels.shape, listed.path.name)
        return Image(pixels, self._camera.name, listed.timestamp_ns)

    def _relative(self, listed: Listed, kind: RelativeKind) -> RelativeDepth:
        import cv2

        path = listed.relative or listed.path
        values = _floats(read_pfm(path) if path.suffix.lower() == ".pfm" else read_depth(path))
        size = (self._camera.width, self._camera.height)
        if values.shape != size[::-1]:
            values = np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_LINEAR))
        return RelativeDepth(values, kind, self._camera, listed.timestamp_ns)

    def _anchors(self, listed: Listed) -> RawDepth:
        path = listed.anchors or listed.path
        values = read_depth(path)
        self._check(values.shape, path.name)
        unit_m = _MILLIMETRES if values.dtype == np.uint16 else _METRES
        return RawDepth(values, unit_m, self._camera, listed.timestamp_ns)

    def _check(self, shape: tuple[int, ...], name: str) -> None:
        camera = self._camera
        if shape[:2] != (camera.height, camera.width):
            msg = (
                f"{name}: {shape[1]}x{shape[0]} pixels; expected {camera.width}x{camera.height} "
                "like the first picture; remove it or give each size its own folder"
            )
            raise UnsupportedRecordingError(msg)


def _floats(values: DepthValues) -> NDArray[np.float32]:
    """Return values as float32; nothing said (0 of whole numbers, infinity) is NaN."""
    nothing = values == 0 if values.dtype == np.uint16 else ~np.isfinite(values)
    return np.where(nothing, np.float32(np.nan), values.astype(np.float32)).astype(np.float32)
