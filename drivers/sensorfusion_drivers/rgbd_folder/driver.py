"""The driver for folders of RGB-D pictures: 7-Scenes, TUM, Open3D, Redwood and pairs by name."""

from pathlib import Path
from typing import Literal

from sensorfusion.depth_map import DepthKind
from sensorfusion.errors import SourceError
from sensorfusion.formats.depth_encodings import EncodingName
from sensorfusion.sources.driver import Driver, FrameSource, SampleWriter, Truth
from sensorfusion_drivers.rgbd_folder.encoding import chosen_encoding
from sensorfusion_drivers.rgbd_folder.listing import Listing
from sensorfusion_drivers.rgbd_folder.named import is_named, list_named
from sensorfusion_drivers.rgbd_folder.numbered import is_numbered, list_numbered
from sensorfusion_drivers.rgbd_folder.seven_scenes import is_seven_scenes, list_seven_scenes
from sensorfusion_drivers.rgbd_folder.source import Given, open_folder
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
    summary = "folder of RGB-D pictures: 7-Scenes, TUM, Open3D and Redwood layouts, pairs by name"

    def can_open(self, location: str) -> bool:
        """Say whether a folder has one of the layouts, from its file names."""
        try:
            folder = Path(location)
            recognisers = (*(recognise for recognise, _ in _LAYOUTS), is_named)
            return folder.is_dir() and any(recognise(folder) for recognise in recognisers)
        except (OSError, ValueError, SourceError):
            return False

    def open(  # noqa: PLR0913 (options)
        self,
        location: str,
        *,
        intrinsics: Path | None = None,
        encoding: EncodingName | None = None,
        depth_unit_m: float | None = None,
        depth_kind: DepthKind = "z",
        sensor: Sensor | None = None,
        name: str | None = None,
    ) -> FrameSource:
        """Open a folder.

        Parameters
        ----------
        location : str
            The folder that holds the pictures or their lists.
        intrinsics : Path or None
            3x3 matrix as text or Open3D's JSON; None takes the ``*intrinsic*`` file in the
            folder or the one above it. ``primesense`` is the nominal camera of a first Kinect.
        encoding : str or None
            How the data set wrote its depth: nyu (raw Kinect disparity, bytes swapped), sun
            (millimetres, bits rotated), tum (1/5000 m), kitti or void (1/256 m), mm, scannet or
            redwood (millimetres), metres (floats).
        depth_unit_m : float or None
            Metres per unit of the depth pictures, in place of an encoding. With neither,
            ``depth_scale`` of the JSON counts, else what the layout's document says (7-Scenes,
            Redwood 0.001; TUM 1/5000).
        depth_kind : {"z", "range"}
            Whether depth is stored along the optical axis or along the ray.
        sensor : str or None
            What took the depth, and so how noisy it is; None takes a Kinect for 7-Scenes and TUM,
            which were taken with one, and an unknown sensor for the others.
        name : str or None
            Which scene of a folder of ``NAME_depth`` and ``NAME_color``.

        Raises
        ------
        SourceError
            If the folder cannot be read or has none of the layouts, or no pair.
        CalibrationError
            If there are no intrinsics, or they do not fit the pictures, or a pose is not rigid.
        DepthScaleError
            If the depth pictures cannot be meant so, or nobody says their unit.
        DriverError
            If ``depth_unit_m`` is not between 0 and 1, or an encoding is given with it.
        """
        chosen_encoding(encoding, depth_unit_m)
        folder = Path(location)
        given = Given(intrinsics, encoding, depth_unit_m, depth_kind, sensor)
        return open_folder(_list(folder, name), folder, given)

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

    def truth(self, location: str, *, name: str | None = None) -> Truth:
        """Read the poses of the frames; neither intrinsics nor pictures are read."""
        return Truth(trajectory=_list(Path(location), name).trajectory())


def _list(folder: Path, name: str | None) -> Listing:
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "no such folder"
        msg = f"{folder}: {found}; expected a folder of RGB-D pictures; check the path"
        raise SourceError(msg)
    for recognise, list_pictures in _LAYOUTS:
        if recognise(folder):
            if name is not None:
                msg = f"{folder}: one recording, without scenes; leave out -o name={name}"
                raise SourceError(msg)
            return list_pictures(folder)
    if is_named(folder):
        return list_named(folder, name)
    msg = (
        f"{folder}: none of the layouts frame-N.depth.png (7-Scenes), rgb.txt and depth.txt "
        "(TUM), depth/ beside color/, image/ or rgb/ (Open3D, Redwood), NAME_depth beside "
        "NAME_color; give the folder that holds these"
    )
    raise SourceError(msg)
