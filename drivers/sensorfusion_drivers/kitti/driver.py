"""The driver for KITTI: raw drives, odometry sequences and object frames."""

from pathlib import Path

from sensorfusion.errors import DriverError, SourceError
from sensorfusion.sources.driver import Driver, FrameSource, Truth
from sensorfusion_drivers.kitti.listing import Listing
from sensorfusion_drivers.kitti.objects import is_objects, list_objects
from sensorfusion_drivers.kitti.odometry import is_odometry, list_odometry
from sensorfusion_drivers.kitti.raw import is_raw, list_raw
from sensorfusion_drivers.kitti.source import KittiSource


class KittiDriver(Driver):
    """Scans of a Velodyne HDL-64E, pictures, calibration, and poses where the folder holds them.

    The fourth column of the projection matrices is where each camera sits, and counts. Scans are
    as KITTI distributes them: those of raw drives were taken while the car moved, those of the
    odometry benchmark are already freed of its motion.
    """

    summary = "KITTI: raw drives, odometry sequences, frames of the object benchmark"

    def can_open(self, location: str) -> bool:
        """Say whether a folder has one of the layouts: scans, and KITTI's names beside them."""
        try:
            folder = Path(location)
            return folder.is_dir() and (is_raw(folder) or is_odometry(folder) or is_objects(folder))
        except (OSError, ValueError, SourceError):
            return False

    def open(self, location: str, *, calibration_of: int | None = None) -> FrameSource:
        """Open a folder.

        Parameters
        ----------
        location : str
            A drive, the folder of its date, ``sequences/NN``, or ``training`` of the object
            benchmark.
        calibration_of : int or None
            Of object frames, which have a calibration each: open those that share the calibration
            of this one; None takes the first.

        Raises
        ------
        SourceError
            If the folder has none of the layouts, or a file cannot be read or is damaged.
        CalibrationError
            If the calibration is missing, cannot be parsed, or does not fit the pictures.
        DriverError
            If ``calibration_of`` names no frame, or is given for another layout.
        """
        return KittiSource(_list(Path(location), calibration_of))

    def truth(self, location: str, *, calibration_of: int | None = None) -> Truth:
        """Read the poses, ``T_world_velodyne``; no scan or picture is decoded."""
        return Truth(trajectory=_list(Path(location), calibration_of).read_poses())


def _list(folder: Path, calibration_of: int | None) -> Listing:
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "no such folder"
        msg = f"{folder}: {found}; expected a folder of KITTI; check the path"
        raise SourceError(msg)
    if is_objects(folder):
        return list_objects(folder, calibration_of)
    if calibration_of is not None:
        msg = f"calibration-of is for object frames; {folder} has one calibration; leave it out"
        raise DriverError(msg)
    if is_raw(folder):
        return list_raw(folder)
    if is_odometry(folder):
        return list_odometry(folder)
    msg = (
        f"{folder}: none of KITTI's layouts: velodyne_points/data (raw drives), velodyne or scans "
        "beside calib.txt (odometry), velodyne and calib (object frames); give the folder that "
        "holds these"
    )
    raise SourceError(msg)
