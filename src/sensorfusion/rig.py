"""Rig: the cameras, LiDARs and inertial sensors of a device and how they sit to each other."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sensorfusion.camera import Camera
from sensorfusion.errors import CalibrationError
from sensorfusion.lidar import Lidar
from sensorfusion.noise import DepthNoise
from sensorfusion.transform import RigidTransform


@dataclass(frozen=True, slots=True, eq=False)
class Rig:
    """Sensors, and the transforms that connect their coordinate systems.

    Attributes
    ----------
    cameras : mapping of str to Camera
        By name; the name is also that of the coordinate system.
    transforms : tuple of RigidTransform
        A tree (or more) of ``T_a_b`` over the names; directions are free.
    depth_noise : mapping of str to DepthNoise
        Of the cameras that measure depth, as far as it is known; see :meth:`noise_of`.
    imus : tuple of str
        Coordinate systems of the inertial sensors.
    lidars : mapping of str to Lidar
        By name, which is also that of the coordinate system.
    time_offsets_ns : mapping of str to int
        By sensor: what is to be added to its time stamps so that all are of one clock. A driver
        that is given a rig adds them, and keeps them here; see :meth:`on_one_clock`.

    Raises
    ------
    CalibrationError
        If a key is not its sensor's name, noise belongs to no camera, a time offset to no sensor,
        two sensors share a name, or the transforms leave a sensor unconnected.
    """

    cameras: Mapping[str, Camera]
    transforms: tuple[RigidTransform, ...] = field(default=())
    depth_noise: Mapping[str, DepthNoise] = field(default_factory=dict)
    imus: tuple[str, ...] = ()
    lidars: Mapping[str, Lidar] = field(default_factory=dict)
    time_offsets_ns: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        sensors: tuple[Camera | Lidar, ...] = (*self.cameras.values(), *self.lidars.values())
        for name, sensor in zip((*self.cameras, *self.lidars), sensors, strict=True):
            if name != sensor.name:
                msg = f"rig: {sensor.name!r} stands under the name {name!r}"
                raise CalibrationError(msg)
        for name in self.depth_noise:
            if name not in self.cameras:
                msg = f"rig: depth noise of {name!r}; there are {', '.join(self.cameras) or 'none'}"
                raise CalibrationError(msg)
        names = [*self.cameras, *self.lidars, *self.imus]
        if len(set(names)) < len(names):
            msg = f"rig: sensors are named {', '.join(names)}; expected each name once"
            raise CalibrationError(msg)
        for name in self.time_offsets_ns:
            if name not in names:
                msg = f"rig: a time offset of {name!r}; there are {', '.join(names) or 'none'}"
                raise CalibrationError(msg)
        for name in names[1:]:
            self.transform(names[0], name)

    def noise_of(self, camera: str) -> DepthNoise:
        """Return the depth noise of a camera, :meth:`DepthNoise.unknown` where none is given."""
        return self.depth_noise.get(camera, DepthNoise.unknown())

    def time_offset_ns(self, sensor: str) -> int:
        """Return what is to be added to a sensor's time stamps, 0 where nothing is given."""
        return self.time_offsets_ns.get(sensor, 0)

    def on_one_clock(self) -> "Rig":
        """Return the rig for samples whose time stamps were brought to one clock."""
        return replace(self, time_offsets_ns={})

    def transform(self, target: str, source: str) -> RigidTransform:
        """Return ``T_target_source``, chained over the rig's transforms.

        Raises
        ------
        CalibrationError
            If nothing connects the two.
        """
        reached = {source: RigidTransform.identity(source, source)}
        waiting = [source]
        while waiting and target not in reached:
            here = waiting.pop()
            for link in self.transforms:
                step = link if link.source == here else link.inverse()
                if step.source == here and step.target not in reached:
                    reached[step.target] = step @ reached[here]
                    waiting.append(step.target)
        if target not in reached:
            known = ", ".join(link.name for link in self.transforms) or "none"
            msg = f"rig: nothing connects {source!r} to {target!r}; transforms known: {known}"
            raise CalibrationError(msg)
        return reached[target]
