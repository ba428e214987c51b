"""The driver for RealSense cameras and their recordings, ``.bag`` and ``.db3``."""

from pathlib import Path
from typing import Literal

from sensorfusion.errors import DriverError, SourceError
from sensorfusion.sources.driver import ConnectedDevice, Driver, FrameSource, SampleWriter
from sensorfusion_drivers.realsense.containers import is_recording, open_recording
from sensorfusion_drivers.realsense.live_driver import (
    list_cameras,
    names_camera,
    open_camera,
    refuse_options,
)
from sensorfusion_drivers.realsense.live_options import LiveOptions
from sensorfusion_drivers.realsense.source import RealSenseSource


class RealSenseDriver(Driver):
    """Open cameras, and recordings made by librealsense or by this package."""

    endings = (".db3", ".bag")
    summary = (
        "RealSense cameras (realsense:SERIAL, or realsense: for the only one) and recordings: "
        ".bag (ROS 1) and .db3 (librealsense 2.58 and later)"
    )

    def can_open(self, location: str) -> bool:
        """Say whether it names a camera or is a RealSense recording, by its content."""
        return names_camera(location) or is_recording(Path(location))

    def open(  # noqa: PLR0913 (each is an option of its own)
        self,
        location: str,
        *,
        infrared: bool | Literal["pair"] = False,
        strict: bool = False,
        depth_unit_m: float | None = None,
        seconds: float | None = None,
        depth: str = "",
        color: str = "",
        preset: str = "",
        laser: str = "",
        exposure: str = "",
    ) -> FrameSource:
        """Open a recording, whose images are read when they are asked for, or a camera.

        Parameters
        ----------
        location : str
            A .bag or .db3 file, or the folder in which rosbag2 put one; ``realsense:SERIAL``,
            ``realsense:`` for the only camera, or a serial number.
        infrared : bool or "pair"
            Put the pictures of the infrared cameras beside each frame, as "infrared_1" and
            "infrared_2"; of a camera, among the samples. ``pair``, of recordings: depth is matched
            anew in the two of each frame, that of the camera lies beside it; frames without both
            are left out and counted.
        strict : bool
            Refuse a damaged file; else what is whole of it is read, and a note says what is not.
        depth_unit_m : float or None
            Metres per unit of depth, in place of what the recording says.
        seconds : float or None
            Camera: end after so long, from the first iteration on.
        depth, color : str
            Camera: ``WIDTHxHEIGHT@RATE`` of the pictures, such as ``848x480@30``; by default what
            is nearest to 640x480 at 30 Hz. Colour may be ``off``.
        preset : str
            Camera: name of a visual preset, such as ``high accuracy``, or a JSON file of settings
            as the vendor's viewer writes it.
        laser : str
            Camera: ``on``, ``off``, or its power in milliwatts.
        exposure : str
            Camera: ``auto``, or that of the depth sensor in microseconds.

        Raises
        ------
        SourceError
            If the file is missing, damaged beyond use, or holds what is not read, or the camera
            is missing or cannot do what was asked; the text says which.
        CalibrationError
            If its intrinsics or transforms are impossible.
        DriverError
            If ``depth_unit_m`` is not between 0 and 1.
        """
        asked = LiveOptions(depth, color, preset, laser, exposure, infrared is True)
        if names_camera(location):
            if infrared == "pair":
                msg = (
                    f"{location}: infrared=pair is for recordings; record the camera with "
                    "-o infrared=true, convert that to .db3, and open the .db3 with it"
                )
                raise SourceError(msg)
            return open_camera(location, asked, seconds, depth_unit_m)
        refuse_options(location, asked, seconds)
        if depth_unit_m is not None and not 0 < depth_unit_m <= 1:
            msg = (
                f"depth-unit-m is {depth_unit_m:g}; expected metres per unit, more than 0 and at "
                "most 1 (0.001 for millimetres)"
            )
            raise DriverError(msg)
        recording = open_recording(Path(location), strict=strict, unit_m=depth_unit_m)
        return RealSenseSource(recording, infrared=infrared, strict=strict)

    def devices(self) -> tuple[ConnectedDevice, ...]:
        """Return the RealSense cameras that are plugged in now; needs pyrealsense2.

        Raises
        ------
        SourceError
            If librealsense is not there, or cannot say.
        """
        return list_cameras()

    def writer(self, destination: str, source: FrameSource) -> SampleWriter:
        """Begin a recording of a source's samples, which librealsense plays.

        A ``.db3`` holds raw images, which every version since 2.58 reads; a ``.bag`` is
        compressed by LZ4.

        Raises
        ------
        OutputError
            If the format cannot describe the rig, or the file cannot be made.
        """
        # Imported here: most sources are only read.
        from sensorfusion_drivers.realsense.writer import (  # noqa: PLC0415
            BagWriter,
            Db3Writer,
            device_of,
        )

        device = device_of(source)
        if destination.lower().endswith(".bag"):
            return BagWriter(destination, device)
        return Db3Writer(destination, device)
