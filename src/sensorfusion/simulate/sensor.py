"""An RGB-D sensor that sees a scene without any error."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera, ray_table
from sensorfusion.distortion import Distortion
from sensorfusion.rig import Rig
from sensorfusion.simulate.scene import Scene
from sensorfusion.transform import RigidTransform, rotation_from_vector


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What every pixel of a camera hits.

    Attributes
    ----------
    camera : Camera
    z_m : ndarray of float32, shape (H, W)
        Metres along the optical axis; 0 where the pixel has no ray or hits nothing.
    cosine : ndarray of float32, shape (H, W)
        Of the angle between the ray and the surface normal, 0 (grazing) to 1.
    triangles : ndarray of int32, shape (H, W)
        Index of the triangle, -1 for none.
    """

    camera: Camera
    z_m: NDArray[np.float32]
    cosine: NDArray[np.float32]
    triangles: NDArray[np.int32]


class Hits(NamedTuple):
    """Rays of a picture, row by row, and where they end; see :class:`View`."""

    rays: NDArray[np.float32]
    z_m: NDArray[np.float32]
    normals: NDArray[np.float32]
    triangles: NDArray[np.int32]


class Eye:
    """Casts the rays of cameras onto triangles; may be used by several threads at once.

    Parameters
    ----------
    vertices : ndarray of float32, shape (N, 3)
        Metres, world coordinates.
    triangles : ndarray of int32, shape (M, 3)

    References
    ----------
    Wald et al., "Embree", ACM TOG 2014, as ``open3d.t.geometry.RaycastingScene``.
    """

    def __init__(self, vertices: NDArray[np.float32], triangles: NDArray[np.int32]) -> None:
        import open3d as o3d

        self._tensor = o3d.core.Tensor.from_numpy
        self._scene = o3d.t.geometry.RaycastingScene()
        self._scene.add_triangles(self._tensor(vertices), self._tensor(triangles.astype(np.uint32)))
        # The first cast builds the search tree; later ones only read it, from any thread.
        self._scene.cast_rays(self._tensor(np.ones((1, 6), dtype=np.float32)))

    def look(self, camera: Camera, T_world_camera: RigidTransform) -> View:
        """Return what each pixel of a camera hits, each along its true, distorted ray."""
        # Imported here: numba takes half a second, and a driver must be cheap to import.
        from sensorfusion.simulate._kernels import cosines  # noqa: PLC0415

        hits = self.hits(camera, T_world_camera)
        shape = (camera.height, camera.width)
        cosine = cosines(hits.rays, hits.normals).reshape(shape)
        return View(camera, hits.z_m.reshape(shape), cosine, hits.triangles.reshape(shape))

    def hits(self, camera: Camera, T_world_camera: RigidTransform) -> Hits:
        """Return where the rays of a camera's pixels end, row by row."""
        from sensorfusion.simulate._kernels import rays_of  # noqa: PLC0415

        rotation = T_world_camera.rotation.astype(np.float32)
        origin_m = T_world_camera.translation_m.astype(np.float32)
        return self.cast(rays_of(ray_table(camera).reshape(-1, 2), rotation, origin_m))

    def cast(self, rays: NDArray[np.float32]) -> Hits:
        """Return where rays (N, 6) of origin and direction end; their z counts directions."""
        found = self._scene.cast_rays(self._tensor(rays))
        z_m = found["t_hit"].numpy()
        missed = ~np.isfinite(z_m)
        triangles = found["primitive_ids"].numpy().view(np.int32)
        z_m[missed], triangles[missed] = 0.0, -1
        return Hits(rays, z_m, found["primitive_normals"].numpy(), triangles)

    def reach(
        self, origin_m: NDArray[np.float32], directions: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return how often each direction (N, 3) fits between an origin and what it hits."""
        rays = np.empty((len(directions), 6), dtype=np.float32)
        rays[:, :3], rays[:, 3:] = origin_m, directions
        reached: NDArray[np.float32] = self._scene.cast_rays(self._tensor(rays))["t_hit"].numpy()
        return reached


class RgbdSensor:
    """A depth camera and a colour camera, moved through a scene as one.

    Parameters
    ----------
    scene : Scene
    rig : Rig
        With the cameras "depth" and "color".
    """

    def __init__(self, scene: Scene, rig: Rig) -> None:
        self.scene = scene
        self.rig = rig
        self._T_depth_color = rig.transform("depth", "color")
        self._eye = Eye(scene.mesh.vertices, scene.mesh.triangles)

    def depth(self, T_world_depth: RigidTransform) -> View:
        """Return what the depth camera sees, exact to float32."""
        return self.view("depth", T_world_depth)

    def view(self, camera: str, T_world_depth: RigidTransform) -> View:
        """Return what one of the two cameras sees, exact to float32."""
        T_world_camera = T_world_depth @ self.rig.transform("depth", camera)
        return self._eye.look(self.rig.cameras[camera], T_world_camera)

    def color(self, T_world_depth: RigidTransform) -> NDArray[np.uint8]:
        """Return the picture of the colour camera, uint8 (H, W, 3) red, green, blue."""
        camera = self.rig.cameras["color"]
        return picture(self._eye, self.scene, camera, T_world_depth @ self._T_depth_color)


def picture(
    eye: Eye, scene: Scene, camera: Camera, T_world_camera: RigidTransform
) -> NDArray[np.uint8]:
    """Return what a camera sees of the scene that an eye looks at, uint8 (H, W, 3) RGB."""
    from sensorfusion.simulate._kernels import shade  # noqa: PLC0415

    hits = eye.hits(camera, T_world_camera)
    owners = np.append(scene.solid_of_triangle, np.int32(-1))[hits.triangles]
    # A pixel covers this much of a surface at 1 m, which sets the finest texture it can show.
    pixel_rad = float(np.sqrt(2.0) / camera.fx)
    colors = shade(hits.rays, hits.z_m, hits.normals, owners, scene.solids, pixel_rad)
    return np.asarray(colors).reshape(camera.height, camera.width, 3)


def d435_rig(scale: float = 1.0) -> Rig:
    """Return a rig like that of a RealSense D435: rectified depth, a wider-spaced colour camera.

    Depth is 640x480 with 79 degrees across, colour 848x480 with 69 degrees across, 15 mm to the
    right, turned by 0.4 degrees in all, with a lens of the model ``inverse_brown_conrady``.

    Parameters
    ----------
    scale : float
        Fraction of the resolution, above 0.
    """
    lens = Distortion("inverse_brown_conrady", (0.14, -0.42, 0.0007, -0.0009, 0.38))
    depth = scaled(Camera("depth", 640, 480, 385.7, 385.7, 321.3, 238.6), scale)
    color = scaled(Camera("color", 848, 480, 612.4, 611.9, 427.2, 243.1, lens), scale)
    T_depth_color = np.eye(4)
    T_depth_color[:3, :3] = rotation_from_vector(np.array([0.004, -0.005, 0.003]))
    T_depth_color[:3, 3] = 0.0150, 0.0003, 0.0002
    cameras = {"depth": depth, "color": color}
    return Rig(cameras, (RigidTransform("depth", "color", T_depth_color),))


def scaled(camera: Camera, scale: float) -> Camera:
    """Return the camera at another resolution; pixel centres stand at integers in both.

    Parameters
    ----------
    camera : Camera
    scale : float
        Fraction of the resolution, above 0.
    """
    width, height = max(1, round(camera.width * scale)), max(1, round(camera.height * scale))
    sx, sy = width / camera.width, height / camera.height
    return Camera(
        camera.name,
        width,
        height,
        camera.fx * sx,
        camera.fy * sy,
        (camera.cx + 0.5) * sx - 0.5,
        (camera.cy + 0.5) * sy - 0.5,
        camera.distortion,
    )
