"""Frames of a video, in order."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sensorfusion.camera import Camera
from sensorfusion.errors import SourceError
from sensorfusion.frame import Frame, Sample
from sensorfusion.image import Image
from sensorfusion.rig import Rig
from sensorfusion.sources.driver import FrameSource, Losses

if TYPE_CHECKING:
    import cv2

# How containers begin: MP4 and QuickTime after four bytes, AVI, Matroska and WebM.
_HEAD = 12
_EBML = b"\x1a\x45\xdf\xa3"
_HIGHEST_RATE_HZ = 1000.0


class VideoSource(FrameSource):
    """An open video.

    Parameters
    ----------
    path : Path
    camera : Camera
    rate_hz : float
        Pictures in a second.
    """

    def __init__(self, path: Path, camera: Camera, rate_hz: float) -> None:
        self.rig = Rig({camera.name: camera})
        self.trajectory = None
        self.down_world = None
        self.losses = Losses({camera.name: 0})
        self._path, self._camera, self._rate_hz = path, camera, rate_hz

    def __iter__(self) -> Iterator[Frame]:
        """Yield every picture; what the file announces and does not hold is counted."""
        name = self._camera.name
        for index, image in enumerate(self._images()):
            yield Frame(index, image.timestamp_ns, name, image, {name: image})

    def samples(self) -> Iterator[Sample]:
        """Yield every picture."""
        for image in self._images():
            yield Sample(image.camera_name, image.timestamp_ns, image)

    def _images(self) -> Iterator[Image]:
        import cv2

        video, announced = opened(self._path)
        count = 0
        try:
            while True:
                there, pixels = video.read()
                if not there:
                    break
                timestamp_ns = round(count * 1e9 / self._rate_hz)
                count += 1
                rgb = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)
                yield Image(rgb, self._camera.name, timestamp_ns)
        finally:
            video.release()
        if announced > count:
            self.losses.dropped["picture that cannot be decoded"] = announced - count


def is_video(path: Path) -> bool:
    """Tell whether a file begins as MP4, QuickTime, AVI, Matroska or WebM do."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    is_avi = head.startswith(b"RIFF") and head[8:] == b"AVI "
    return head[4:8] in (b"ftyp", b"moov") or is_avi or head.startswith(_EBML)


def opened(path: Path) -> tuple["cv2.VideoCapture", int]:
    """Open a video, and return how many pictures it announces, 0 if it does not say.

    Raises
    ------
    SourceError
        If it cannot be opened.
    """
    import cv2

    if not is_video(path):
        msg = f"{path}: begins like no video; expected MP4, QuickTime, AVI, Matroska or WebM"
        raise SourceError(msg)
    video = cv2.VideoCapture(str(path))
    if not video.isOpened():
        msg = f"{path}: OpenCV cannot open this video; convert it to MP4 (H.264)"
        raise SourceError(msg)
    # Turned pictures would no longer fit their camera.
    video.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
    return video, max(0, int(video.get(cv2.CAP_PROP_FRAME_COUNT)))


def size_and_rate(path: Path) -> tuple[tuple[int, int], float]:
    """Return width and height of a video's pictures, and how many a second holds.

    Raises
    ------
    SourceError
        If it cannot be opened, or does not say how fast it is.
    """
    import cv2

    video, _ = opened(path)
    try:
        size = int(video.get(cv2.CAP_PROP_FRAME_WIDTH)), int(video.get(cv2.CAP_PROP_FRAME_HEIGHT))
        rate_hz = float(video.get(cv2.CAP_PROP_FPS))
    finally:
        video.release()
    if not 0 < rate_hz <= _HIGHEST_RATE_HZ:
        msg = f"{path}: says {rate_hz:g} pictures a second; give their rate with -o rate-hz=30"
        raise SourceError(msg)
    return size, rate_hz
