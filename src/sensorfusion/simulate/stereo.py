"""Two or three cameras beside each other that see a scene, with lenses and noise, and its truth."""

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.distortion import Distortion
from sensorfusion.noise import DepthNoise
from sensorfusion.rig import Rig
from sensorfusion.simulate.scene import Scene
from sensorfusion.simulate.sensor import Eye, View, picture, scaled
from sensorfusion.transform import RigidTransform, rotation_from_vector

BASELINE_M = 0.12
_FOCAL_PX = 480.0
# Of a machine vision camera: of the electronics, grey levels, and of light, grey levels per root of
# a grey level.
_DARK, _LIGHT = 1.5, 0.14
# Of disparities that are matched well, pixels.
_SIGMA_PX = 0.12


class StereoSensor:
    """Cameras moved through a scene as one; may be used by several threads at once.

    Parameters
    ----------
    scene : Scene
    rig : Rig
        Of :func:`stereo_rig`.
    """

    def __init__(self, scene: Scene, rig: Rig) -> None:
        self.scene, self.rig = scene, rig
        self._eye = Eye(scene.mesh.vertices, scene.mesh.triangles)

    def view(self, camera: str, T_world_left: RigidTransform) -> View:
        """Return what one of the cameras sees, exact to float32."""
        T_world_camera = T_world_left @ self.rig.transform("left", camera)
        return self._eye.look(self.rig.cameras[camera], T_world_camera)

    def picture(
        self, camera: str, T_world_left: RigidTransform, rng: np.random.Generator | None = None
    ) -> NDArray[np.uint8]:
        """Return the picture of a camera, uint8 (H, W, 3) RGB, with noise if a generator is given.

        The noise is that of a sensor: of the electronics everywhere, of light where it is bright.
        """
        T_world_camera = T_world_left @ self.rig.transform("left", camera)
        seen = picture(self._eye, self.scene, self.rig.cameras[camera], T_world_camera)
        if rng is None:
            return seen
        exact = seen.astype(np.float32)
        deviation = np.sqrt(np.float32(_DARK**2) + np.float32(_LIGHT**2) * exact)
        noisy = exact + deviation * rng.standard_normal(exact.shape, dtype=np.float32)
        return np.asarray(np.clip(np.rint(noisy), 0, 255), np.uint8)


def stereo_rig(cameras: int, scale: float = 1.0) -> Rig:
    """Return two cameras 12 cm apart, "left" and "right", or with a third one "below" the left.

    640x480 pixels, 67 degrees across, lenses that bend straight lines, directions that differ by
    half a degree and principal points by pixels, as cameras have them that nobody rectified.

    Parameters
    ----------
    cameras : int
        2 or 3.
    scale : float
        Fraction of the resolution, above 0.
    """
    lens = Distortion("brown_conrady", (-0.06, 0.03, 0.0006, -0.0004))
    other_lens = Distortion("brown_conrady", (-0.055, 0.026, -0.0005, 0.0007))
    left = Camera("left", 640, 480, _FOCAL_PX, _FOCAL_PX, 321.3, 238.6, lens)
    right = Camera("right", 640, 480, _FOCAL_PX + 1.8, _FOCAL_PX + 1.5, 316.9, 242.2, other_lens)
    below = Camera("below", 640, 480, _FOCAL_PX - 1.2, _FOCAL_PX - 1.1, 323.8, 240.7, other_lens)
    links = (
        _placed("right", (BASELINE_M, 0.0008, -0.0005), (0.004, -0.006, 0.003)),
        _placed("below", (-0.0006, BASELINE_M, 0.0004), (-0.005, 0.003, -0.004)),
    )
    chosen = [scaled(camera, scale) for camera in (left, right, below)[:cameras]]
    noise = DepthNoise.stereo(BASELINE_M, chosen[0].fx, _SIGMA_PX)
    return Rig({camera.name: camera for camera in chosen}, links[: cameras - 1], {"left": noise})


def _placed(
    camera: str, at_m: tuple[float, float, float], turn_rad: tuple[float, float, float]
) -> RigidTransform:
    """Return ``T_left_camera``."""
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_from_vector(np.array(turn_rad))
    matrix[:3, 3] = at_m
    return RigidTransform("left", camera, matrix)
