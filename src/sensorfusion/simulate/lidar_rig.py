"""A LiDAR with cameras beside it, moved through a scene as one."""

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.lidar import Lidar
from sensorfusion.rig import Rig
from sensorfusion.simulate.bursts import Motion
from sensorfusion.simulate.lidar import LidarSensor, Scan, ScanErrors, Shutter
from sensorfusion.simulate.moving import MovingEye, MovingScene
from sensorfusion.simulate.sensor import View, d435_rig, scaled
from sensorfusion.transform import RigidTransform

BESIDE_M = (0.0, -0.30, -0.15)
"""Where the camera sits: 0.3 m to the right of the LiDAR and 0.15 m below it."""
R_LIDAR_CAMERA = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
"""The camera looks along the LiDAR's x axis."""


def street_rig(lidar: Lidar, scale: float = 1.0) -> Rig:
    """Return a LiDAR with the camera "color" beside it: 1242x375 pixels, 81 degrees across.

    Parameters
    ----------
    lidar : Lidar
    scale : float
        Fraction of the camera's resolution, above 0.
    """
    color = scaled(Camera("color", 1242, 375, 721.0, 721.0, 620.5, 180.0), scale)
    return Rig({"color": color}, (_beside(lidar, "color"),), lidars={lidar.name: lidar})


def hall_rig(lidar: Lidar, scale: float = 1.0) -> Rig:
    """Return a LiDAR with the cameras "depth" and "color" of :func:`d435_rig` beside it."""
    rgbd = d435_rig(scale)
    links = (_beside(lidar, "depth"), *rgbd.transforms)
    return Rig(rgbd.cameras, links, lidars={lidar.name: lidar})


def _beside(lidar: Lidar, camera: str) -> RigidTransform:
    T_lidar_camera = np.eye(4)
    T_lidar_camera[:3, :3] = R_LIDAR_CAMERA
    T_lidar_camera[:3, 3] = BESIDE_M
    return RigidTransform(lidar.name, camera, T_lidar_camera)


class LidarRig:
    """Scans, pictures and exact depth along a motion; any thread may ask.

    Parameters
    ----------
    scene : MovingScene
    rig : Rig
        With one LiDAR.
    motion : callable
        ``T_world_lidar`` by time in seconds.
    shutter : {"rolling", "global"}
    errors : ScanErrors
    """

    def __init__(
        self,
        scene: MovingScene,
        rig: Rig,
        motion: Motion,
        *,
        shutter: Shutter = "rolling",
        errors: ScanErrors | None = None,
    ) -> None:
        (self.lidar,) = rig.lidars.values()
        self.rig = rig
        self._motion = motion
        self._eye = MovingEye(scene)
        self._sensor = LidarSensor(self._eye, self.lidar, motion, shutter=shutter, errors=errors)

    def T_world_lidar(self, timestamp_ns: int) -> RigidTransform:
        """Return where the LiDAR is at an instant."""
        return RigidTransform("world", self.lidar.name, self._motion(_seconds(timestamp_ns))[0])

    def scan(self, start_ns: int, rng: np.random.Generator) -> Scan:
        """Return the revolution that begins at an instant; one generator per scan."""
        return self._sensor.scan(start_ns, rng)

    def view(self, camera: str, timestamp_ns: int) -> View:
        """Return what a camera sees at an instant, exact to float32."""
        T_world_camera = self._T_world_camera(camera, timestamp_ns)
        return self._eye.look(self.rig.cameras[camera], T_world_camera, 1e-9 * timestamp_ns)

    def picture(self, camera: str, timestamp_ns: int) -> NDArray[np.uint8]:
        """Return the picture of a camera exposed at an instant, uint8 (H, W, 3)."""
        T_world_camera = self._T_world_camera(camera, timestamp_ns)
        return self._eye.paint(self.rig.cameras[camera], T_world_camera, 1e-9 * timestamp_ns)

    def _T_world_camera(self, camera: str, timestamp_ns: int) -> RigidTransform:
        T_lidar_camera = self.rig.transform(self.lidar.name, camera)
        return self.T_world_lidar(timestamp_ns) @ T_lidar_camera


def _seconds(timestamp_ns: int) -> NDArray[np.float64]:
    return np.array([1e-9 * timestamp_ns])
