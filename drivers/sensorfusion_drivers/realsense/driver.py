"""The driver for recordings of RealSense cameras, ``.bag`` and ``.db3``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.depth_map import RawDepth
from sensorfusion.errors import CorruptRecordingError, UnsupportedRecordingError
from sensorfusion.frame import Frame, Sample
from sensorfusion.image import Image
from sensorfusion.noise import DepthNoise
from sensorfusion.rig import Rig
from sensorfusion.sources.driver import (
    ConnectedDevice,
    Driver,
    FrameSource,
    Losses,
    SeekableFrameSource,
)
from sensorfusion.sources.synchronize import median_period_ns, pair_by_time
from sensorfusion_drivers.realsense.containers import is_recording, open_recording
from sensorfusion_drivers.realsense.live_driver import (
    list_cameras,
    names_camera,
    open_camera,
    refuse_options,
)
from sensorfusion_drivers.realsense.live_options import LiveOptions
from sensorfusion_drivers.realsense.streams import (
    COLOR,
    DEPTH,
    RECORD_AGAIN,
    Recording,
    StoredStream,
)

# Two images belong together when they are nearer in time than an image and the one after its
# partner. Cameras whose shutters run free of each other may be up to half a period apart, and
# D400 cameras stamp depth and colour at different points of the exposure, so half is too tight.
_TOLERANCE_PERIODS: Final = 0.75


class RealSenseDriver(Driver):
    """Open cameras, and recordings made by librealsense or by this package."""

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
        seconds: float | None = None,
        depth: str = "",
        color: str = "",
        preset: str = "",
        laser: str = "",
        exposure: str = "",
        motion: bool = False,
    ) -> FrameSource:
        """Open a recording, whose images are read when they are asked for, or a camera.

        Parameters
        ----------
        location : str
            A file, ``realsense:SERIAL``, ``realsense:``, or a serial number.
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
        motion : bool
            Camera: samples hold gyroscope and accelerometer, too.

        Raises
        ------
        SourceError
            If the file is missing, damaged, or holds what is not read, or the camera is missing
            or cannot do what was asked; the text says which.
        CalibrationError
            If its intrinsics or transforms are impossible.
        """
        asked = LiveOptions(depth, color, preset, laser, exposure, motion)
        if names_camera(location):
            return open_camera(location, asked, seconds)
        refuse_options(location, asked, seconds)
        return RealSenseSource(open_recording(Path(location)))

    def devices(self) -> tuple[ConnectedDevice, ...]:
        """Return the RealSense cameras that are plugged in now; needs pyrealsense2.

        Raises
        ------
        SourceError
            If librealsense is not there, or cannot say.
        """
        return list_cameras()


class RealSenseSource(SeekableFrameSource):
    """The frames of a recording: each depth image with the colour image nearest in time.

    Frames may be read from several threads. A recording without colour gives frames without
    images.

    Parameters
    ----------
    recording : Recording
        Closed with the source.

    Attributes
    ----------
    metadata : dict of str to str
        What the recording says about the device, as librealsense names it: "Name",
        "Serial Number", "Firmware Version"; and "Clock", what the time stamps count.
    notes : tuple of str
        What a user should know: streams that are there and not read, a depth unit that the
        recording holds with few digits.

    Raises
    ------
    CorruptRecordingError
        If there is no transform between depth and colour.
    UnsupportedRecordingError
        If there is no depth image, or none has a colour image near it in time.
    """

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self.trajectory = None
        self.down_world = None
        try:
            self._depth = recording.streams[DEPTH]
            self._color = recording.streams.get(COLOR)
            self.rig = _rig(recording)
            self._pairs = self._paired()
        except BaseException:
            recording.close()
            raise
        # An image of unknown time is a frame lost when it is depth, a picture without one if not.
        stray = {reason: n for reason, n in recording.losses.items() if reason.startswith(COLOR)}
        self.losses = Losses(
            dropped={reason: n for reason, n in recording.losses.items() if reason not in stray}
        )
        self.losses.unpaired[DEPTH] = len(self._depth.timestamps_ns) - len(self._pairs)
        if self._color is not None:
            self.losses.unpaired[COLOR] = (
                len(self._color.timestamps_ns) - len(self._pairs) + sum(stray.values())
            )
        self.metadata = {**recording.metadata, "Clock": self._depth.clock}
        self.notes = tuple(self._notes())

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> Frame:
        """Return frame ``index``, from 0 in order of the depth images' time.

        Raises
        ------
        IndexError
            If there is no such frame.
        SourceError
            If an image of it is damaged or stored in a way that is not read.
        """
        if not 0 <= index < len(self):
            msg = f"frame {index} of a recording with {len(self)}"
            raise IndexError(msg)
        depth_index, color_index = (int(i) for i in self._pairs[index])
        depth = self._read_depth(depth_index)
        images = {} if self._color is None else {COLOR: self._read_color(color_index)}
        return Frame(index, depth.timestamp_ns, DEPTH, depth, images)

    def samples(self) -> Iterator[Sample]:
        """Yield every depth and colour image in order of time, paired or not."""
        order = [
            (int(stamp_ns), name, index)
            for name, stream in self._recording.streams.items()
            for index, stamp_ns in enumerate(stream.timestamps_ns)
        ]
        for stamp_ns, name, index in sorted(order):
            data = self._read_depth(index) if name == DEPTH else self._read_color(index)
            yield Sample(name, stamp_ns, data)

    def close(self) -> None:
        """Release the file."""
        self._recording.close()

    def _read_depth(self, index: int) -> RawDepth:
        stream = self._depth
        values = self._recording.pixels(DEPTH, index).astype(np.uint16, copy=False)
        stamp_ns = int(stream.timestamps_ns[index])
        return RawDepth(values, stream.units_m[index], stream.camera, stamp_ns)

    def _read_color(self, index: int) -> Image:
        stamp_ns = int(self._recording.streams[COLOR].timestamps_ns[index])
        pixels = self._recording.pixels(COLOR, index).astype(np.uint8, copy=False)
        return Image(pixels, COLOR, stamp_ns)

    def _paired(self) -> NDArray[np.int64]:
        """Return which depth image goes with which colour image, -1 for none."""
        depth, color = self._depth, self._color
        if not len(depth.timestamps_ns):
            msg = f"{self._recording.path}: holds no depth image that can be read; {RECORD_AGAIN}"
            raise UnsupportedRecordingError(msg)
        if color is None:
            order = np.argsort(depth.timestamps_ns, kind="stable")
            return np.stack([order, np.full_like(order, -1)], axis=-1)
        periods_ns = [period for period in map(_period_ns, (depth, color)) if period > 0]
        tolerance_ns = int(_TOLERANCE_PERIODS * min(periods_ns, default=0.0))
        if depth.clock == color.clock:
            pairs = pair_by_time(depth.timestamps_ns, color.timestamps_ns, tolerance_ns)
        else:
            # Stamps of two clocks cannot be compared; the recorder's own clock is one.
            pairs = pair_by_time(depth.arrivals_ns, color.arrivals_ns, tolerance_ns)
            pairs = pairs[np.argsort(depth.timestamps_ns[pairs[:, 0]], kind="stable")]
        if not len(pairs):
            msg = (
                f"{self._recording.path}: none of {len(depth.timestamps_ns)} depth images has one "
                f"of {len(color.timestamps_ns)} colour images within {tolerance_ns / 1e6:.1f} ms; "
                "were both streams recorded at once?"
            )
            raise UnsupportedRecordingError(msg)
        return pairs

    def _notes(self) -> Iterator[str]:
        yield from self._recording.notes
        for kind in self._recording.others:
            yield f"the recording also holds {kind}, which is not read"
        if self._color is not None and self._color.clock != self._depth.clock:
            yield (
                f"depth is stamped by {self._depth.clock!r} and colour by {self._color.clock!r}: "
                "paired by the time of recording"
            )


def _period_ns(stream: StoredStream) -> float:
    """Return the time between images: as measured, as promised, whichever is shorter."""
    periods = [
        median_period_ns(stream.timestamps_ns),
        1e9 / stream.rate_hz if stream.rate_hz > 1e-3 else 0,
    ]
    return min((period for period in periods if period > 0), default=0.0)


def _rig(recording: Recording) -> Rig:
    cameras = {name: stream.camera for name, stream in recording.streams.items()}
    device = recording.metadata.get("Name", "")
    noise = {DEPTH: DepthNoise.of_device(device, cameras[DEPTH].fx)}
    if COLOR not in cameras:
        return Rig(cameras, depth_noise=noise)
    T_depth_reference = recording.streams[DEPTH].T_camera_reference
    T_color_reference = recording.streams[COLOR].T_camera_reference
    if (
        T_depth_reference is None
        or T_color_reference is None
        or T_depth_reference.source != T_color_reference.source
    ):
        found = "no transform between the depth and the colour camera"
        expected = "both /tf/ topics with one reference"
        raise CorruptRecordingError(recording.path, 0, found, expected, RECORD_AGAIN)
    T_color_depth = T_color_reference @ T_depth_reference.inverse()
    return Rig(cameras, (T_color_depth,), depth_noise=noise)
