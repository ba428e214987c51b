"""Frames of a KITTI folder, read when they are asked for."""

from collections.abc import Iterator

import numpy as np

from sensorfusion.calibration.kitti import VELODYNE
from sensorfusion.errors import UnsupportedRecordingError
from sensorfusion.frame import Frame, Sample
from sensorfusion.image import Image
from sensorfusion.point_cloud import PointCloud
from sensorfusion.sources.driver import SeekableFrameSource
from sensorfusion_drivers.kitti.listing import Item, Listing
from sensorfusion_drivers.kitti.scan import read_scan
from sensorfusion_drivers.pictures import read_color


class KittiSource(SeekableFrameSource):
    """An open folder; reads files only, so any thread may ask for any frame.

    A frame is a scan and the pictures with its number, as many as there are.

    Parameters
    ----------
    listing : Listing
    """

    def __init__(self, listing: Listing) -> None:
        self.rig = listing.rig
        self.trajectory = listing.read_poses()
        upright = listing.z_up and self.trajectory is not None
        self.down_world = np.array([0.0, 0.0, -1.0]) if upright else None
        self.losses = listing.losses()
        self.notes = listing.notes
        self._listing = listing

    def __len__(self) -> int:
        return len(self._listing.scans)

    def __getitem__(self, index: int) -> Frame:
        """Return frame ``index``.

        Raises
        ------
        IndexError
            If ``index`` is not from 0 to len - 1.
        SourceError
            If a file cannot be read or is damaged, or a picture has another size than the first.
        """
        if not 0 <= index < len(self):
            msg = f"frame {index} of {len(self)}"
            raise IndexError(msg)
        scan = self._listing.scans[index]
        return Frame(
            index=index,
            timestamp_ns=scan.timestamp_ns,
            sensor=VELODYNE,
            measurement=self._cloud(scan),
            images={
                name: self._image(name, taken[scan.number])
                for name, taken in self._listing.pictures.items()
                if scan.number in taken
            },
        )

    def samples(self) -> Iterator[Sample]:
        """Yield every scan and picture, those without a partner too, in order of time."""
        listed = [(VELODYNE, scan) for scan in self._listing.scans]
        for name, taken in self._listing.pictures.items():
            listed += [(name, item) for item in taken.values()]
        for name, item in sorted(listed, key=lambda each: each[1].timestamp_ns):
            data = self._cloud(item) if name == VELODYNE else self._image(name, item)
            yield Sample(name, item.timestamp_ns, data)

    def _cloud(self, item: Item) -> PointCloud:
        return read_scan(item.path, VELODYNE, item.timestamp_ns)

    def _image(self, name: str, item: Item) -> Image:
        pixels = read_color(item.path)
        camera = self.rig.cameras[name]
        if pixels.shape[:2] != (camera.height, camera.width):
            msg = (
                f"{item.path}: {pixels.shape[1]}x{pixels.shape[0]} pixels; expected "
                f"{camera.width}x{camera.height} like the first picture of {name}; remove it or "
                "give each size its own folder"
            )
            raise UnsupportedRecordingError(msg)
        return Image(pixels, name, item.timestamp_ns)
