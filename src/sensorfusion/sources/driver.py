"""What a driver must offer: the Protocols of stage 1."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from sensorfusion.depth_map import DepthMap
from sensorfusion.frame import Frame, Sample
from sensorfusion.imu import ImuSamples
from sensorfusion.rig import Rig
from sensorfusion.trajectory import Trajectory
from sensorfusion.triangle_mesh import TriangleMesh


@dataclass(slots=True)
class Losses:
    """What a source could not deliver, counted; final after the last frame.

    Attributes
    ----------
    unpaired : dict of str to int
        Samples of each stream that found no partner in time.
    dropped : dict of str to int
        Frames that exist in the recording but could not be delivered, by reason.
    """

    unpaired: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)


# Without slots: the mesh is kept once it is made.
@dataclass(frozen=True)
class Truth:
    """What a location knows to be true, for evaluation.

    Attributes
    ----------
    trajectory : Trajectory or None
        ``T_world_camera`` of the depth camera, or ``T_world_lidar``.
    make_mesh : callable or None
        Returns the surface that the recording saw, in the same world; called once, when
        :attr:`mesh` is first asked for, because it can take seconds.
    depth : callable or None
        Returns the exact dense depth of a camera, by its name, at the instant of its picture in a
        frame, by its index; without ``sigma_m``. May be called from any thread.
    """

    trajectory: Trajectory | None = None
    make_mesh: Callable[[], TriangleMesh] | None = None
    depth: Callable[[str, int], DepthMap] | None = None

    @cached_property
    def mesh(self) -> TriangleMesh | None:
        """Return the surface that the recording saw, or None if that is not known."""
        return None if self.make_mesh is None else self.make_mesh()


class FrameSource(Protocol):
    """An open recording or camera: frames in order of time."""

    rig: Rig
    """Sensors and the transforms between them, known as soon as the source is open."""
    trajectory: Trajectory | None
    """Poses that the recording holds, ``T_world_camera`` of the depth camera, or None."""
    down_world: NDArray[np.float64] | None
    """Unit vector (3,) that points down in the world of ``trajectory``, or None."""
    losses: Losses
    imu: ImuSamples | None = None
    """All that the recording's inertial sensor measured (``rig.imus`` names it), or None."""
    metadata: Mapping[str, str] = MappingProxyType({})
    """What the recording says about the device: name, serial number, firmware."""
    notes: tuple[str, ...] = ()
    """What a user should know about the recording, a sentence each; `info` and reports say it."""
    beside_frames: Mapping[str, int] = MappingProxyType({})
    """Samples by stream that only :meth:`samples` yields: readings of inertial sensors, pictures
    of cameras that nobody asked to see in the frames."""

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """Yield the paired frames in order of time."""

    @abstractmethod
    def samples(self) -> Iterator[Sample]:
        """Yield every sample of every sensor in order of time, paired or not."""

    def close(self) -> None:
        """Release the camera or file; by default there is nothing to release."""
        return

    def __enter__(self) -> Self:
        """Return the open source."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close on the way out, error or not."""
        self.close()


@runtime_checkable
class SeekableFrameSource(FrameSource, Protocol):
    """A recording: its frames are counted and can be read by index, from any thread."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of paired frames."""

    @abstractmethod
    def __getitem__(self, index: int) -> Frame:
        """Return frame ``index`` (0 to len - 1) without reading those before it."""

    def __iter__(self) -> Iterator[Frame]:
        """Yield the paired frames in order of time."""
        for index in range(len(self)):
            yield self[index]


@dataclass(frozen=True, slots=True)
class StreamHealth:
    """What became of the samples of a stream of a camera that is running.

    Attributes
    ----------
    rate_hz : int
        Nominal.
    received : int
        Samples that reached the computer.
    missing : int
        Samples that the camera counted and that never came.
    warming_up, dropped, unpaired, delivered : int
        Left out before the exposure was steady; left out because the reader did not keep up;
        without a partner; handed out. With what still waits they make ``received``.
    exposure_us : int or None
        The last exposure, microseconds, where the camera tells it.
    """

    rate_hz: int
    received: int
    missing: int
    warming_up: int
    dropped: int
    unpaired: int
    delivered: int
    exposure_us: int | None


@runtime_checkable
class LiveFrameSource(FrameSource, Protocol):
    """A camera that is running: without an end, and without a second chance."""

    @abstractmethod
    def health(self) -> Mapping[str, StreamHealth]:
        """Return what became of the samples of each stream so far; callable from any thread."""


@dataclass(frozen=True, slots=True)
class ConnectedDevice:
    """A camera that is plugged in now.

    Attributes
    ----------
    location : str
        What to open it by, such as ``realsense:728612070259``.
    name, serial, firmware, recommended_firmware, usb : str
        As the camera says it; empty where it does not.
    modes : mapping of str to tuple of str
        What each stream offers, such as ``640x480@30``.
    warnings : tuple of str
        What a user should know before using it, a sentence each.
    """

    location: str
    name: str
    serial: str
    firmware: str
    recommended_firmware: str
    usb: str
    modes: Mapping[str, tuple[str, ...]]
    warnings: tuple[str, ...] = ()


class SampleWriter(Protocol):
    """A recording that is being written, sample by sample; whole once it is closed."""

    notes: list[str]
    """What could not be kept, a sentence each; final once it is closed."""

    @abstractmethod
    def write(self, sample: Sample) -> None:
        """Append a sample; samples come in order of time.

        Raises
        ------
        OutputError
            If the format cannot hold the sample without loss, or the file cannot be written.
        """

    @abstractmethod
    def close(self) -> None:
        """Finish the recording under its name; a second call does nothing."""

    @abstractmethod
    def abandon(self) -> None:
        """Give up: leave nothing behind, and an old recording untouched."""


@runtime_checkable
class Writes(Protocol):
    """What a driver offers beside :class:`Driver` when it can also write its recordings."""

    endings: tuple[str, ...]
    """Of the names of its recordings, such as ``.db3``; empty text stands for a folder."""

    @abstractmethod
    def writer(self, destination: str, source: FrameSource) -> SampleWriter:
        """Begin a recording of what a source holds: its rig, device and poses.

        Raises
        ------
        OutputError
            If the format cannot describe the rig, or nothing can be written there.
        """


class Driver(Protocol):
    """A way to open one kind of camera or recording.

    Register the class under the entry-point group ``sensorfusion.drivers``. Importing its module
    must be cheap: import a vendor library inside ``open``. A driver may add keyword-only
    parameters with types and defaults to ``open``; they become its options (``-o key=value``).
    """

    summary: str

    @abstractmethod
    def can_open(self, location: str) -> bool:
        """Say whether ``location`` is ours: cheap, by content, without raising."""

    @abstractmethod
    def open(self, location: str) -> FrameSource:
        """Open ``location``, or raise ``SourceError``."""

    def truth(self, location: str) -> Truth:
        """Read what ``location`` knows to be true, and only that (poses need no intrinsics).

        May take the same keyword-only options as ``open``.
        """
        return Truth()

    def devices(self) -> tuple[ConnectedDevice, ...]:
        """Return the cameras of this kind that are plugged in now, in milliseconds.

        Raises
        ------
        SourceError
            If that cannot be found out, such as for want of the vendor's library.
        """
        return ()
