"""The driver for folders of stereo pictures."""

from pathlib import Path

from sensorfusion.calibration.rig_file import read_rig
from sensorfusion.errors import CalibrationError, DriverError, SourceError
from sensorfusion.rig import Rig
from sensorfusion.sources.driver import Driver, FrameSource, Truth
from sensorfusion_drivers.pictures import picture_size
from sensorfusion_drivers.stereo.calibration import rig_file_beside, rig_for
from sensorfusion_drivers.stereo.listing import Layout, find_layout, not_stereo
from sensorfusion_drivers.stereo.pairing import Paired, pair_pictures
from sensorfusion_drivers.stereo.source import StereoFolderSource
from sensorfusion_drivers.stereo.truth import true_depth


class StereoDriver(Driver):
    """Pictures of two or more cameras beside each other, and their calibration.

    The pictures lie in folders (``left`` and ``right``, KITTI's ``image_0`` and ``image_1``, or as
    the cameras of a rig file are named) or in one (``left01.png``, ``im0.png``, ``view1.png``).
    They need not be rectified.
    """

    summary = "folder of stereo pictures: left/right, KITTI, Middlebury, or a rig of more cameras"

    def can_open(self, location: str) -> bool:
        """Say whether a folder holds pictures of two cameras, from its file names."""
        try:
            folder = Path(location)
            # The usual names need no rig file: whether that can be read is told when it is opened.
            if not folder.is_dir() or find_layout(folder) is not None:
                return folder.is_dir()
            return _layout(folder, None) is not None
        except (OSError, ValueError, SourceError, CalibrationError):
            return False

    def open(self, location: str, *, rig: Path | None = None, rate_hz: float = 10.0) -> FrameSource:
        """Open a folder.

        Parameters
        ----------
        location : str
        rig : Path or None
            Rig file with the cameras; by default ``rig.toml``, else ``calib.txt`` as Middlebury
            (2014) or KITTI write it, beside the pictures or in the folder above.
        rate_hz : float
            Pictures in a second, for names that hold no time.

        Raises
        ------
        SourceError
            If there are no pictures of two cameras, or nothing says which belong together.
        CalibrationError
            If there is no calibration, or it is for other cameras or pictures.
        DriverError
            If ``rate_hz`` is not positive.
        """
        _, known, paired = _opened(Path(location), rig, rate_hz)
        return StereoFolderSource(known, paired)

    def truth(self, location: str, *, rig: Path | None = None, rate_hz: float = 10.0) -> Truth:
        """Read the true disparity as depth: ``disp0.pfm``, ``*disp*.npz``, KITTI's ``disp_occ``."""
        layout, known, paired = _opened(Path(location), rig, rate_hz)
        return Truth(depth=true_depth(layout, known, paired.instants))


def _opened(folder: Path, rig: Path | None, rate_hz: float) -> tuple[Layout, Rig, Paired]:
    if not 0 < rate_hz <= 1e6:
        msg = f"rate-hz is {rate_hz:g}; expected pictures in a second, more than 0"
        raise DriverError(msg)
    try:
        layout = _layout(folder, rig) if folder.is_dir() else None
    except (OSError, ValueError) as error:
        msg = f"{folder}: cannot be read as a folder of pictures ({error})"
        raise SourceError(msg) from error
    if layout is None:
        raise not_stereo(folder)
    paired = pair_pictures(layout, rate_hz)
    sizes_px = {
        name: picture_size(path)
        for name, path in zip(layout.pictures, paired.instants[0].paths, strict=True)
    }
    (left, left_px), (right, right_px) = list(sizes_px.items())[:2]
    if left_px != right_px:
        shown = " and ".join("{}x{}".format(*size_px) for size_px in (left_px, right_px))
        msg = f"{folder}: pictures of {left} and {right} have {shown} pixels; expected one size"
        raise CalibrationError(msg)
    return layout, rig_for(layout, sizes_px, rig), paired


def _layout(folder: Path, rig: Path | None) -> Layout | None:
    path = rig or rig_file_beside(folder)
    cameras = () if path is None else tuple(read_rig(path).cameras)
    return find_layout(folder, cameras)
