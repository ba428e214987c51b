"""The driver for folders of RGB-D pictures: 7-Scenes, TUM, Open3D and Redwood."""

from pathlib import Path
from typing import Literal

from sensorfusion.depth_map import DepthKind
from sensorfusion.errors import DriverError, SourceError
from sensorfusion.sources.driver import Driver, FrameSource, SampleWriter, Truth
from sensorfusion_drivers.rgbd_folder.listing import Listing
from sensorfusion_drivers.rgbd_folder.numbered import is_numbered, list_numbered
from sensorfusion_drivers.rgbd_folder.seven_scenes import is_seven_scenes, list_seven_scenes
from sensorfusion_drivers.rgbd_folder.source import open_folder
from sensorfusion_drivers.rgbd_folder.tum import is_tum, list_tum

Sensor = Literal["kinect", "sr300", "l515", "d405", "d415", "d435", "d455"]
"""Products whose noise is known."""

# TUM first: its folders rgb/ and depth/ alone look like numbered pairs.
_LAYOUTS = (
    (is_tum, list_tum),
    (is_seven_scenes, list_seven_scenes),
    (is_numbered, list_numbered),
)


class RgbdFolderDriver(Driver):
    """Folders of registered depth and colour pictures, or of depth alone.

    TUM lists carry time stamps. 7-Scenes and plain numbers do not: there frame N stands at
    N / 30 s, a nominal time, good for order and not for measuring speed.
    """

    endings = ("",)
    summary = "folder of RGB-D pictures: 7-Scenes, TUM, Open3D and Redwood layouts"

    def can_open(self, location: str) -> bool:
        """Say whether a folder has one of the layouts, from its file names."""
        try:
            folder = Path(location)
            return folder.is_dir() and any(recognise(folder) for recognise, _ in _LAYOUTS)
        except (OSError, ValueError, SourceError):
            return False

    def open(
        self,
        location: str,
        *,
        intrinsics: Path | None = None,
        depth_unit_m: float | None = None,
        depth_kind: DepthKind = "z",
        sensor: Sensor | None = None,
    ) -> FrameSource:
        """Open a folder.

        Parameters
        ----------
        location : str
            The folder that holds the pictures or their lists.
        intrinsics : Path or None
            3x3 matrix as text or Open3D's JSON; None takes the ``*intrinsic*`` file in the
            folder or the one above it.
        depth_unit_m : float or None
            Metres per unit of the depth pictures; None takes ``depth_scale`` of the JSON, else
            what the layout's document says (7-Scenes, Redwood 0.001; TUM 1/5000).
        depth_kind : {"z", "range"}
            Whether depth is stored along the optical axis or along the ray.
        sensor : str or None
            What took the depth, and so how noisy it is; None takes a Kinect for 7-Scenes and TUM,
            which were taken with one, and an unknown sensor for the others.

        Raises
        ------
        SourceError
            If the folder cannot be read or has none of the layouts, or no pair.
        CalibrationError
            If there are no intrinsics, or they do not fit the pictures, or a pose is not rigid.
        DriverError
            If ``depth_unit_m`` is not between 0 and 1.
        """
        if depth_unit_m is not None and not 0 < depth_unit_m <= 1:
            msg = (
                f"depth-unit-m is {depth_unit_m:g}; expected metres per unit, more than 0 and at "
                "most 1 (0.001 for millimetres)"
            )
            raise DriverError(msg)
        folder = Path(location)
        return open_folder(_list(folder), folder, intrinsics, depth_unit_m, depth_kind, sensor)

    def writer(self, destination: str, source: FrameSource) -> SampleWriter:
        """Begin a folder in the layout of TUM with a source's depth and colour.

        Raises
        ------
        OutputError
            If there is no depth camera, or the folder cannot be made or is not empty.
        """
        # Imported here: most folders are only read.
        from sensorfusion_drivers.rgbd_folder.tum_writer import TumWriter  # noqa: PLC0415

        return TumWriter(Path(destination), source)

    def truth(self, location: str) -> Truth:
        """Read the poses of the frames; neither intrinsics nor pictures are read."""
        return Truth(trajectory=_list(Path(location)).trajectory())


def _list(folder: Path) -> Listing:
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "no such folder"
        msg = f"{folder}: {found}; expected a folder of RGB-D pictures; check the path"
        raise SourceError(msg)
    for recognise, list_pictures in _LAYOUTS:
        if recognise(folder):
            return list_pictures(folder)
    msg = (
        f"{folder}: none of the layouts frame-N.depth.png (7-Scenes), rgb.txt and depth.txt "
        "(TUM), depth/ beside color/, image/ or rgb/ (Open3D, Redwood); give the folder that "
        "holds these"
    )
    raise SourceError(msg)
