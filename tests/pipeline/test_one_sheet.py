"""A wall that a stereo camera sees from afar is one surface, however noisy each frame is."""

import numpy as np
import pytest

import sensorfusion as sf
from sensorfusion.camera import ray_table
from sensorfusion.config import DepthSettings, MeshSettings
from sensorfusion.simulate.noise import measure, model_of
from sensorfusion.simulate.sensor import View
from sensorfusion.sources.driver import FrameSource, Losses
from sensorfusion.transform import rotation_from_vector

WALL_M = 3.5
FRAMES = 30
# The middle of a D435's picture: the same pixels, fewer of them. One frame errs by 5 cm here.
CAMERA = sf.Camera("depth", 240, 160, 385.7, 385.7, 119.5, 79.5)


def exact_view(T_world_depth):
    """The wall z = 3.5 m, by intersecting rays with it."""
    rays = np.insert(ray_table(CAMERA).astype(np.float64), 2, 1.0, axis=-1)
    towards = rays @ T_world_depth.rotation[2]
    z_m = (WALL_M - T_world_depth.translation_m[2]) / towards
    cosine = towards / np.linalg.norm(rays, axis=-1)
    nothing = np.zeros(z_m.shape, np.int32)
    return View(CAMERA, z_m.astype(np.float32), cosine.astype(np.float32), nothing)


class Wall(FrameSource):
    """What a D435 reports of the wall, from given places."""

    def __init__(self, trajectory):
        self.rig = sf.Rig({"depth": CAMERA}, depth_noise={"depth": model_of("d435", CAMERA)})
        self.trajectory, self.down_world, self.losses = trajectory, None, Losses()

    def __iter__(self):
        for k, (time_ns, pose) in enumerate(self.trajectory):
            raw = measure(exact_view(pose), time_ns, "d435", np.random.default_rng([7, k]))
            yield sf.Frame(k, time_ns, "depth", raw)

    def samples(self):
        return iter(())


def held(moves):
    """At rest, or as still as a hand is: a centimetre and a quarter of a degree."""
    phases = np.arange(FRAMES)[:, None] * np.array([1.0, 1.3, 1.7]) * moves
    poses = []
    for phase in phases:
        matrix = np.eye(4)
        matrix[:3, 3] = 0.01 * np.sin(phase)
        matrix[:3, :3] = rotation_from_vector(0.004 * np.sin(2 * phase))
        poses.append(sf.RigidTransform("world", "depth", matrix))
    return sf.Trajectory((33_000_000 * np.arange(FRAMES)).tolist(), poses)


def crossings(mesh):
    """How often lines of sight through the wall's middle cross the mesh, and where first (z)."""
    import open3d as o3d

    # Away from the rim, and from the margin that the second imager does not see.
    v, u = np.mgrid[15:145:2, 30:225:2]
    rays = np.stack([(u - 119.5) / 385.7, (v - 79.5) / 385.7, np.ones(u.shape)], -1).reshape(-1, 3)
    scene = o3d.t.geometry.RaycastingScene()
    triangles = mesh.triangles.astype(np.uint32)
    scene.add_triangles(o3d.core.Tensor(mesh.vertices), o3d.core.Tensor(triangles))
    lines = o3d.core.Tensor(np.hstack([np.zeros_like(rays), rays]).astype(np.float32))
    return scene.count_intersections(lines).numpy(), scene.cast_rays(lines)["t_hit"].numpy()


@pytest.mark.parametrize("moves", [0, 1], ids=["at rest", "held by hand"])
def test_a_d435s_wall_at_three_and_a_half_metres_is_one_sheet(moves):
    trajectory = held(moves)
    settings = sf.Settings(
        depth=DepthSettings(far_m=6.0), mesh=MeshSettings(smallest_piece_triangles=0)
    )
    mesh = sf.reconstruct(Wall(trajectory), settings, poses=trajectory).mesh
    counts, z_m = crossings(mesh)
    assert np.mean(counts == 1) >= 0.99
    assert z_m[counts == 1].mean() == pytest.approx(WALL_M, abs=0.01)
