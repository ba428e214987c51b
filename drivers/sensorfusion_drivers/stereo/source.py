"""An open folder of stereo pictures."""

from collections.abc import Iterator
from pathlib import Path

from sensorfusion.errors import CalibrationError
from sensorfusion.frame import Frame, Sample
from sensorfusion.image import Image
from sensorfusion.rig import Rig
from sensorfusion.sources.driver import Losses, SeekableFrameSource
from sensorfusion.stereo_pair import StereoPair
from sensorfusion_drivers.pictures import read_color
from sensorfusion_drivers.stereo.pairing import Paired


class StereoFolderSource(SeekableFrameSource):
    """Pictures decoded when asked for; any thread may ask.

    Parameters
    ----------
    rig : Rig
        Its cameras are in the order of the pictures of an instant.
    paired : Paired
    """

    def __init__(self, rig: Rig, paired: Paired) -> None:
        self.rig = rig
        self.trajectory = None
        self.down_world = None
        self.losses = Losses(dict(paired.unpaired))
        self.notes = paired.notes
        self._instants = paired.instants

    def __len__(self) -> int:
        return len(self._instants)

    def __getitem__(self, index: int) -> Frame:
        """Return frame ``index``, from 0 in order of time.

        Raises
        ------
        IndexError
            If there is no such frame.
        CorruptRecordingError
            If a picture is damaged.
        CalibrationError
            If a picture has another size than its camera.
        """
        if not 0 <= index < len(self):
            msg = f"frame {index} of a folder with {len(self)}"
            raise IndexError(msg)
        instant = self._instants[index]
        images = [
            self._read(name, path, instant.timestamp_ns)
            for name, path in zip(self.rig.cameras, instant.paths, strict=True)
        ]
        left, right, *others = images
        pair = StereoPair(left, right, tuple(others))
        return Frame(index, instant.timestamp_ns, left.camera_name, pair, {left.camera_name: left})

    def samples(self) -> Iterator[Sample]:
        """Yield the pictures of each instant."""
        for instant in self._instants:
            for name, path in zip(self.rig.cameras, instant.paths, strict=True):
                image = self._read(name, path, instant.timestamp_ns)
                yield Sample(name, instant.timestamp_ns, image)

    def _read(self, name: str, path: Path, timestamp_ns: int) -> Image:
        pixels = read_color(path)
        camera = self.rig.cameras[name]
        height, width = pixels.shape[:2]
        if (width, height) != (camera.width, camera.height):
            msg = (
                f"{path}: {width}x{height} pixels; {name} takes pictures of {camera.width}x"
                f"{camera.height}; remove the picture, or export it anew in that size"
            )
            raise CalibrationError(msg)
        return Image(pixels, name, timestamp_ns)
