"""The driver for pictures alone: folders of them, and videos."""

from pathlib import Path
from typing import get_args

from sensorfusion.errors import DriverError, SourceError
from sensorfusion.relative_depth import RelativeKind
from sensorfusion.sources.driver import Driver, FrameSource
from sensorfusion_drivers.image_folder.lens import camera_of
from sensorfusion_drivers.image_folder.listing import RELATIVE, list_pictures, pictures_folder
from sensorfusion_drivers.image_folder.source import ImageFolderSource
from sensorfusion_drivers.image_folder.video import VideoSource, is_video, size_and_rate
from sensorfusion_drivers.pictures import picture_size

_RATE_HZ = 30.0


class ImageFolderDriver(Driver):
    """Pictures of one camera: a folder of PNG and JPEG, or a video.

    Beside the pictures, ``relative/NAME.npy`` (or 16-bit PNG, TIFF, EXR) may hold what a monocular
    model said about ``NAME.jpg``, and ``anchors/NAME.png`` (16 bit, millimetres) or ``.npy``
    (metres) what is known in some of its pixels, 0 elsewhere.
    """

    summary = "pictures alone: a folder of PNG or JPEG, or a video; relative/ and anchors/ beside"

    def can_open(self, location: str) -> bool:
        """Say whether this is a video, or a folder with pictures of one camera and no depth."""
        try:
            path = Path(location)
            if path.is_dir():
                return pictures_folder(path) is not None
            return path.is_file() and is_video(path)
        except (OSError, ValueError):
            return False

    def open(
        self,
        location: str,
        *,
        intrinsics: Path | None = None,
        camera: str | None = None,
        relative: RelativeKind | None = None,
        rate_hz: float | None = None,
    ) -> FrameSource:
        """Open a folder or a video.

        Parameters
        ----------
        location : str
        intrinsics : Path or None
            3x3 matrix as text, Open3D's JSON or a rig file; None takes ``rig.toml`` or the
            ``*intrinsic*`` file beside the pictures or in the folder above.
        camera : str or None
            Camera of a rig file that has several.
        relative : {"inverse", "affine_inverse", "affine_depth", "log"} or None
            What the values in ``relative/`` mean; needed where there is such a folder.
        rate_hz : float or None
            Pictures in a second, where neither names nor video say it; None takes 30.

        Raises
        ------
        SourceError
            If there are no pictures, or the video cannot be opened.
        CalibrationError
            If there are no intrinsics, or they do not fit the pictures.
        DriverError
            If ``rate_hz`` is not positive, or ``relative`` is missing or has nothing to describe.
        """
        if rate_hz is not None and not rate_hz > 0:
            msg = f"rate-hz is {rate_hz:g}; expected pictures in a second, more than 0"
            raise DriverError(msg)
        path = Path(location)
        if path.is_dir():
            return self._folder(path, intrinsics, camera, relative, rate_hz or _RATE_HZ)
        if not path.is_file():
            msg = f"{path}: no such file or folder; expected pictures or a video; check the path"
            raise SourceError(msg)
        if relative is not None:
            msg = f"relative={relative} describes files beside pictures; {path} is a video"
            raise DriverError(msg)
        size, own_rate_hz = size_and_rate(path)
        return VideoSource(
            path, camera_of(path.parent, intrinsics, camera, size), rate_hz or own_rate_hz
        )

    def _folder(
        self,
        folder: Path,
        intrinsics: Path | None,
        camera: str | None,
        relative: RelativeKind | None,
        rate_hz: float,
    ) -> FrameSource:
        listing = list_pictures(folder, rate_hz)
        there = any(listed.relative for listed in listing.pictures)
        if there and relative is None:
            kinds = ", ".join(get_args(RelativeKind))
            msg = f"{folder / RELATIVE}: what do its values mean? Give -o relative=KIND: {kinds}"
            raise DriverError(msg)
        if relative is not None and not there:
            msg = f"relative={relative}: no file of {folder / RELATIVE} belongs to a picture"
            raise DriverError(msg)
        size = picture_size(listing.pictures[0].path)
        return ImageFolderSource(listing, camera_of(folder, intrinsics, camera, size), relative)
