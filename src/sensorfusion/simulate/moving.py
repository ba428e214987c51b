"""A scene in which things move, and what rays hit in it at their own instants."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera, ray_table
from sensorfusion.simulate.bursts import Motion
from sensorfusion.simulate.scene import Scene
from sensorfusion.simulate.sensor import Eye, Hits, View
from sensorfusion.transform import RigidTransform

_ZENITH, _HORIZON = np.array([96.0, 142.0, 205.0]), np.array([205.0, 216.0, 226.0])


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """A rigid thing that moves.

    Attributes
    ----------
    scene : Scene
        In the body's own coordinate system, around its origin.
    motion : callable
        ``T_world_body`` by time, see :data:`sensorfusion.simulate.bursts.Motion`.
    """

    scene: Scene
    motion: Motion


@dataclass(frozen=True, slots=True, eq=False)
class MovingScene:
    """What stands still, and what moves.

    Attributes
    ----------
    still : Scene
        World coordinates.
    bodies : tuple of Body
    """

    still: Scene
    bodies: tuple[Body, ...] = ()


class MovingEye:
    """Casts rays into a moving scene, each at its own instant; any thread may ask.

    Triangles count on: those of what stands still, then those of each body. So do solids.

    Parameters
    ----------
    scene : MovingScene
    """

    def __init__(self, scene: MovingScene) -> None:
        scenes = (scene.still, *(body.scene for body in scene.bodies))
        self._scene = scene
        self._eyes = [Eye(one.mesh.vertices, one.mesh.triangles) for one in scenes]
        self._first_triangle = np.cumsum([0, *(len(one.mesh.triangles) for one in scenes)])
        first_solid = np.cumsum([0, *(len(one.solids) for one in scenes)])
        owners = [one.solid_of_triangle + n for one, n in zip(scenes, first_solid, strict=False)]
        # One more, so that -1 (no triangle) belongs to -1 (no solid).
        self._owners = np.append(np.concatenate(owners), -1).astype(np.int32)
        self._radii_m = [
            float(np.linalg.norm(body.scene.mesh.vertices, axis=1).max()) for body in scene.bodies
        ]

    @property
    def owners(self) -> NDArray[np.int32]:
        """Return the solid of each triangle, int32 (M + 1,); the last, of no triangle, is -1."""
        return self._owners

    def solids(self, time_s: float = 0.0) -> NDArray[np.float64]:
        """Return ``Scene.solids`` of everything as it stands at an instant, float64 (S, 22)."""
        rows = [self._scene.still.solids]
        for body in self._scene.bodies:
            T_world_body = body.motion(np.array([time_s]))[0]
            moved = body.scene.solids.copy()
            R_solid_body = moved[:, :9].reshape(-1, 3, 3)
            moved[:, :9] = (R_solid_body @ T_world_body[:3, :3].T).reshape(-1, 9)
            moved[:, 9:12] = moved[:, 9:12] @ T_world_body[:3, :3].T + T_world_body[:3, 3]
            rows.append(moved)
        return np.concatenate(rows)

    def cast(self, rays: NDArray[np.float32], time_s: NDArray[np.float64]) -> Hits:
        """Return where rays end.

        Parameters
        ----------
        rays : ndarray of float32, shape (K, M, 6)
            Origin (metres) and direction of M rays at each of K instants, world coordinates.
        time_s : ndarray of float64, shape (K,)
            The instants, seconds.

        Returns
        -------
        Hits
            Of K * M rays; normals in world coordinates.
        """
        shape, flat = rays.shape[:2], rays.reshape(-1, 6)
        found = self._eyes[0].cast(flat)
        # Open3D's arrays may not be written to.
        z_m, normals = found.z_m.copy(), found.normals.copy()
        triangles = found.triangles.copy()
        best_m = np.where(triangles >= 0, z_m, np.inf)
        for number, body in enumerate(self._scene.bodies):
            T_world_body = body.motion(time_s).astype(np.float32)
            near = _near(rays, T_world_body[:, :3, 3], self._radii_m[number]).reshape(-1)
            if not near.any():
                continue
            index = np.flatnonzero(near)
            moved = T_world_body[index // shape[1]]
            R_world_body = moved[:, :3, :3]
            seen = np.empty((len(index), 6), dtype=np.float32)
            offset = flat[index, :3] - moved[:, :3, 3]
            seen[:, :3] = (offset[:, None, :] @ R_world_body)[:, 0]
            seen[:, 3:] = (flat[index, None, 3:] @ R_world_body)[:, 0]
            hits = self._eyes[number + 1].cast(seen)
            nearer = (hits.triangles >= 0) & (hits.z_m < best_m[index])
            won = index[nearer]
            z_m[won] = best_m[won] = hits.z_m[nearer]
            triangles[won] = hits.triangles[nearer] + self._first_triangle[number + 1]
            normals[won] = (R_world_body[nearer] @ hits.normals[nearer][..., None])[..., 0]
        return Hits(flat, z_m, normals, triangles)

    def look(self, camera: Camera, T_world_camera: RigidTransform, time_s: float) -> View:
        """Return what each pixel of a camera hits at an instant."""
        from sensorfusion.simulate._kernels import cosines  # noqa: PLC0415

        hits = self._pixels(camera, T_world_camera, time_s)
        shape = (camera.height, camera.width)
        cosine = cosines(hits.rays, hits.normals).reshape(shape)
        return View(camera, hits.z_m.reshape(shape), cosine, hits.triangles.reshape(shape))

    def paint(
        self, camera: Camera, T_world_camera: RigidTransform, time_s: float
    ) -> NDArray[np.uint8]:
        """Return the picture of a camera at an instant, uint8 (H, W, 3), with a sky."""
        from sensorfusion.simulate._kernels import shade  # noqa: PLC0415

        hits = self._pixels(camera, T_world_camera, time_s)
        owners = self._owners[hits.triangles]
        pixel_rad = float(np.sqrt(2.0) / camera.fx)
        solids = self.solids(time_s)
        colors = shade(hits.rays, hits.z_m, hits.normals, owners, solids, pixel_rad)
        sky = owners < 0
        directions = hits.rays[sky, 3:]
        rise = np.clip(directions[:, 2] / np.linalg.norm(directions, axis=1), 0, 1)[:, None]
        colors[sky] = np.round(_HORIZON + rise**0.5 * (_ZENITH - _HORIZON)).astype(np.uint8)
        return np.asarray(colors).reshape(camera.height, camera.width, 3)

    def _pixels(self, camera: Camera, T_world_camera: RigidTransform, time_s: float) -> Hits:
        from sensorfusion.simulate._kernels import rays_of  # noqa: PLC0415

        rotation = T_world_camera.rotation.astype(np.float32)
        origin_m = T_world_camera.translation_m.astype(np.float32)
        rays = rays_of(ray_table(camera).reshape(-1, 2), rotation, origin_m)
        return self.cast(rays[None], np.array([time_s]))


def turned(
    yaw_rad: NDArray[np.float64], pitch_rad: NDArray[np.float64], roll_rad: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return R_world_body (N, 3, 3) of bodies with x ahead, y left, z up.

    Rolled about x, then pitched about y (nose down is positive), then turned about z.
    """
    cy, sy = np.cos(yaw_rad), np.sin(yaw_rad)
    cp, sp = np.cos(pitch_rad), np.sin(pitch_rad)
    cr, sr = np.cos(roll_rad), np.sin(roll_rad)
    rows = [
        [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
        [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
        [-sp, cp * sr, cp * cr],
    ]
    return np.moveaxis(np.array(rows), 2, 0)


def _near(
    rays: NDArray[np.float32], centres_m: NDArray[np.float32], radius_m: float
) -> NDArray[np.bool_]:
    """Tell which rays (K, M, 6) pass a ball whose centre is (K, 3) at their instants."""
    towards = centres_m[:, None, :] - rays[..., :3]
    directions = rays[..., 3:]
    along = np.einsum("kmc,kmc->km", towards, directions)
    squares = np.einsum("kmc,kmc->km", towards, towards)
    lengths = np.einsum("kmc,kmc->km", directions, directions)
    inside = squares < radius_m**2
    with np.errstate(divide="ignore", invalid="ignore"):
        passes = (along > 0) & (squares - along**2 / lengths < radius_m**2)
    return np.asarray(inside | passes)
