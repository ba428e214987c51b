"""Frame: what a source delivers for one instant."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sensorfusion.depth_map import DepthMap, RawDepth
from sensorfusion.image import Image
from sensorfusion.imu import ImuReading
from sensorfusion.point_cloud import PointCloud
from sensorfusion.relative_depth import RelativeDepth
from sensorfusion.stereo_pair import StereoPair

Measurement = RawDepth | DepthMap | PointCloud | StereoPair | RelativeDepth | Image
"""What measured the scene: a union, so that mypy names each stage that forgot one. A picture alone
measures nothing until a monocular model is asked, and then relative depth."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One capture: a depth measurement and the pictures that belong to it.

    Attributes
    ----------
    index : int
        Number of the frame in its source, from 0.
    timestamp_ns : int
        Instant of the measurement.
    sensor : str
        Name of the measuring camera or LiDAR in the rig; of a stereo pair, the left camera.
    measurement : RawDepth, DepthMap, PointCloud, StereoPair, RelativeDepth or Image
    images : mapping of str to Image
        By camera name; may be empty.
    depths : mapping of str to RawDepth or DepthMap
        What further cameras of the rig measured at that instant, by camera name: beside a LiDAR
        scan, the depth camera that looks the same way; beside a stereo pair, the depth that the
        device computed of it.
    """

    index: int
    timestamp_ns: int
    sensor: str
    measurement: Measurement
    images: Mapping[str, Image] = field(default_factory=dict)
    depths: Mapping[str, RawDepth | DepthMap] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One measurement, picture or inertial reading of one sensor, before anything is paired.

    Attributes
    ----------
    stream : str
        Name of the stream, as in ``info``.
    timestamp_ns : int
    data : RawDepth, DepthMap, PointCloud, RelativeDepth, Image or ImuReading
        The pictures of a stereo pair are two samples, as nothing is paired yet.
    """

    stream: str
    timestamp_ns: int
    data: Measurement | ImuReading
