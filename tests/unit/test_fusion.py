"""Fusion: known surfaces come out where they are."""

from dataclasses import replace

import numpy as np
import pytest

from sensorfusion.camera import Camera, ray_table
from sensorfusion.depth_map import DepthMap
from sensorfusion.distortion import Distortion
from sensorfusion.errors import CalibrationError, CoordinateSystemMismatchError
from sensorfusion.fusion.extract import extract_mesh
from sensorfusion.fusion.integrate_depth import (
    integrate_depth,
    pack_depth,
    pinhole_lookup,
    touched_blocks,
)
from sensorfusion.fusion.volume import Volume
from sensorfusion.transform import RigidTransform, rotation_from_vector

CAMERA = Camera("depth", 160, 120, 150.0, 150.0, 79.5, 59.5)
AT_ORIGIN = RigidTransform.identity("world", "depth")
VOXEL_M = 0.02


def wall(z_m, camera=CAMERA):
    return DepthMap(np.full((camera.height, camera.width), z_m, np.float32), camera, 0)


def wall_certain_to(sigma_m, z_m):
    """A wall whose every pixel is certain to sigma_m."""
    sigmas = np.full((CAMERA.height, CAMERA.width), sigma_m, np.float32)
    return replace(wall(z_m), sigma_m=sigmas)


def blocks_of(volume, depth, pose=AT_ORIGIN):
    return touched_blocks(volume, depth, pose, pack_depth(depth))


def fused(*views, voxel_size_m=VOXEL_M):
    volume = Volume(voxel_size_m, 4 * voxel_size_m)
    for depth, pose, colors in views:
        integrate_depth(volume, depth, pose, colors)
    return volume


def test_a_wall_at_two_metres_is_at_two_metres():
    """Catches an Open3D whose fusion gives nothing (the 0.20 legacy volume)."""
    mesh = extract_mesh(fused((wall(2.0), AT_ORIGIN, None), voxel_size_m=0.01), 1)
    assert len(mesh.vertices) > 10_000
    assert np.abs(mesh.vertices[:, 2] - 2.0).max() < 1e-3


def test_triangles_and_normals_face_the_camera():
    mesh = extract_mesh(fused((wall(2.0), AT_ORIGIN, None)), 1)
    a, b, c = (mesh.vertices[mesh.triangles[:, k]] for k in range(3))
    assert (np.cross(b - a, c - a)[:, 2] < 0).all()
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-5)
    assert (mesh.normals[:, 2] < -0.9).all()


@pytest.mark.parametrize(
    "lens",
    [
        Distortion("brown_conrady", (-0.25, 0.06, 0.001, -0.001, 0.0)),
        Distortion("kannala_brandt", (-0.02, 0.003, -0.001, 0.0)),
    ],
)
def test_a_slanted_wall_seen_through_a_lens_is_flat(lens):
    camera = Camera("depth", 160, 120, 120.0, 120.0, 79.5, 59.5, lens)
    rays = ray_table(camera)
    # The plane z = 2 + 0.3 x, met by the ray (x/z, y/z, 1).
    metres = (2.0 / (1.0 - 0.3 * rays[..., 0])).astype(np.float32)
    mesh = extract_mesh(fused((DepthMap(metres, camera, 0), AT_ORIGIN, None)), 1)
    x, z = mesh.vertices[:, 0], mesh.vertices[:, 2]
    inner = np.hypot(x, mesh.vertices[:, 1]) < 0.9
    assert inner.sum() > 1000
    assert np.sqrt(np.mean((z - (2 + 0.3 * x))[inner] ** 2)) < 0.004


def test_what_no_flat_picture_holds_is_refused_before_it_takes_memory():
    fisheye = Distortion("kannala_brandt", (0.0,) * 4)
    camera = Camera("depth", 160, 120, 51.0, 51.0, 79.5, 59.5, fisheye)
    with pytest.raises(CalibrationError, match="flat picture"):
        pinhole_lookup(camera)
    sphere = Camera("depth", 160, 120, 51.0, 51.0, 79.5, 59.5, Distortion("spherical"))
    with pytest.raises(CalibrationError, match="spherical"):
        pinhole_lookup(sphere)


def test_a_pose_moves_what_is_fused():
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_from_vector(np.array([0, np.pi / 2, 0]))
    matrix[:3, 3] = [1, 2, 3]
    mesh = extract_mesh(fused((wall(2.0), RigidTransform("world", "depth", matrix), None)), 1)
    # The camera looks along world +x.
    assert np.abs(mesh.vertices[:, 0] - 3.0).max() < 1e-3


def test_colours_come_back_as_they_went_in():
    colors = np.full((120, 160, 4), 255, np.uint8)
    colors[..., :3] = (200, 100, 50)
    mesh = extract_mesh(fused(*[(wall(2.0), AT_ORIGIN, colors)] * 5), 1)
    assert np.abs(mesh.colors.astype(int) - (200, 100, 50)).max() <= 1


def test_a_colour_that_was_hidden_at_first_is_not_darkened():
    hidden, seen = np.zeros((120, 160, 4), np.uint8), np.full((120, 160, 4), 255, np.uint8)
    mesh = extract_mesh(fused(*[(wall(2.0), AT_ORIGIN, c) for c in (hidden, hidden, seen)]), 1)
    assert (mesh.colors == 255).all()


def test_a_near_measurement_outweighs_a_far_one():
    back = np.eye(4)
    back[2, 3] = -1.0
    far = RigidTransform("world", "depth", back)
    # One that is certain to 3 mm weighs 113, one to 12 mm 7 (the steps are coarse for the weak):
    # 85^2 / 64 and 21^2 / 64, rounded. So the mean moves by 0.02 * 7 / 120.
    views = (
        (wall_certain_to(0.003, 1.0), AT_ORIGIN, None),
        (wall_certain_to(0.012, 2.02), far, None),
    )
    mesh = extract_mesh(fused(*views), 1)
    center = np.hypot(mesh.vertices[:, 0], mesh.vertices[:, 1]) < 0.3
    assert np.median(mesh.vertices[center, 2]) == pytest.approx(1 + 0.02 * 7 / 120, abs=2e-4)


def test_a_sheet_seen_twice_with_large_errors_stays_one_sheet():
    """Two measurements 12 cm apart, each certain to 6 cm: truncation alone, 8 cm, makes two."""
    views = (
        (wall_certain_to(0.06, 3.44), AT_ORIGIN, None),
        (wall_certain_to(0.06, 3.56), AT_ORIGIN, None),
    )
    mesh = extract_mesh(fused(*views), 1)
    # One column of the volume through the middle meets the surface once, between the two.
    middle = np.abs(mesh.vertices[:, :2]).max(axis=1) < 0.05
    assert mesh.vertices[middle, 2].min() > 3.44
    assert np.ptp(mesh.vertices[middle, 2]) < VOXEL_M


def test_the_volume_grows_without_losing_what_it_holds():
    small, large = Volume(VOXEL_M, 4 * VOXEL_M), Volume(VOXEL_M, 4 * VOXEL_M)
    integrate_depth(small, wall(2.0), AT_ORIGIN)
    integrate_depth(large, wall(2.0), AT_ORIGIN)
    rows = large.rows_of(blocks_of(large, wall(2.0)))
    kept = large.views.tsdf[rows].copy()
    corner = np.arange(6000, dtype=np.int64)
    large.rows_of((corner + (1 << 20) + 5000 << 42) | (1 << 41) | (1 << 20))
    assert large.grid.hashmap().size() == len(large) == len(small) + 6000
    rows = large.rows_of(blocks_of(large, wall(2.0)))
    np.testing.assert_array_equal(large.views.tsdf[rows], kept)


def test_the_same_volume_gives_the_same_bytes_where_distances_are_exactly_zero():
    """There Open3D makes several vertices in one place, in the order of its threads."""
    volume = fused((wall(2.0), AT_ORIGIN, None))
    rows = volume.rows_of(np.sort(volume.views.keys[volume.views.keys >= 0]))
    rng = np.random.default_rng(0)
    tsdf = volume.views.tsdf
    block = tsdf[rows]
    block[rng.random(block.shape) < 0.05] = 0.0
    tsdf[rows] = block
    meshes = [extract_mesh(volume, 1) for _ in range(10)]
    assert len({mesh.vertices.tobytes() + mesh.triangles.tobytes() for mesh in meshes}) == 1
    assert len(np.unique(meshes[0].vertices, axis=0)) == len(meshes[0].vertices)


def test_open3ds_own_integration_gives_the_same_wall():
    """The path that ``--device CUDA:0`` takes, here on the CPU."""
    volume = Volume(VOXEL_M, 4 * VOXEL_M, own_kernels=False)
    colors = np.full((120, 160, 4), (200, 100, 50, 255), np.uint8)
    lens = Distortion("brown_conrady", (-0.05, 0.0, 0.0, 0.0))
    camera = Camera("depth", 160, 120, 150.0, 150.0, 79.5, 59.5, lens)
    integrate_depth(volume, wall(2.0, camera), AT_ORIGIN, colors)
    mesh = extract_mesh(volume, 0.5)
    assert np.abs(mesh.vertices[:, 2] - 2.0).max() < 1e-3
    assert np.median(mesh.colors, axis=0).tolist() == [200, 100, 50]


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("own_kernels", [True, False])
def test_a_slanted_wall_is_where_it_stands(axis, own_kernels):
    """Whichever kernels fuse it: half a pixel would be 5 mm here."""
    ray = ray_table(CAMERA)[..., axis].astype(np.float64)
    metres = (2 / (1 - ray)).astype(np.float32)
    volume = Volume(VOXEL_M, 4 * VOXEL_M, own_kernels=own_kernels)
    for _ in range(4):
        integrate_depth(volume, DepthMap(metres, CAMERA, 0), AT_ORIGIN)
    vertices = extract_mesh(volume, 0.5).vertices
    near = np.abs(vertices[:, :2]).max(axis=1) < 0.8
    off_m = (vertices[:, 2] - (2 + vertices[:, axis]))[near] / np.sqrt(2)
    assert abs(np.median(off_m)) < 0.001


def test_one_pixel_with_depth_is_enough():
    metres = np.zeros((120, 160), np.float32)
    metres[0, 0] = 2.0
    volume = fused((DepthMap(metres, CAMERA, 0), AT_ORIGIN, None))
    assert 0 < len(volume) < 50


def test_each_voxel_is_the_weighted_mean_of_what_its_pixel_saw():
    """The kernel against a plain float64 loop over voxels, on random depth with holes."""
    rng = np.random.default_rng(1)
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_from_vector(np.array([0.1, -0.2, 0.3]))
    matrix[:3, 3] = [0.3, -0.1, 0.2]
    pose = RigidTransform("world", "depth", matrix)
    maps = []
    for _ in range(2):
        metres = rng.uniform(1.0, 1.1, (120, 160)).astype(np.float32)
        metres[rng.random(metres.shape) < 0.3] = 0
        sigma_m = rng.uniform(0.002, 0.05, (120, 160)).astype(np.float32)
        maps.append(DepthMap(metres, CAMERA, 0, sigma_m))
    volume = fused(*[(depth, pose, None) for depth in maps])
    keys = np.intersect1d(*[blocks_of(volume, depth, pose) for depth in maps])[::7]
    rows = volume.rows_of(keys)
    z, y, x = np.mgrid[:8, :8, :8].reshape(3, -1)
    for key, row in zip(keys, rows, strict=True):
        block = np.array([key >> 42, (key >> 21) & 0x1FFFFF, key & 0x1FFFFF]) - (1 << 20)
        points = pose.inverse().apply((8 * block + np.stack([x, y, z], axis=-1)) * VOXEL_M)
        pixels = CAMERA.project(points)
        # Pixels whose rounding float32 and float64 may see differently are left out.
        sure = (np.abs(pixels % 1.0 - 0.5) > 1e-3).all(axis=1)
        u, v = np.rint(pixels).T.astype(int)
        inside = sure & (u >= 0) & (v >= 0) & (u < 160) & (v < 120)
        total, weight, observations = np.zeros(512), np.zeros(512), np.zeros(512)
        for depth in maps:
            pixel = v.clip(0, 119), u.clip(0, 159)
            seen = np.where(inside, depth.metres[pixel], 0).astype(float)
            certainty = np.floor(0.255 / depth.sigma_m[pixel] + 0.5).clip(1, 255)
            distance = seen - points[:, 2]
            behind_m = np.maximum(4 * VOXEL_M, 3 * 0.255 / certainty)
            used = (seen > 0) & (distance > -behind_m + 1e-6)
            share = np.where(used, np.floor(certainty**2 / 64 + 0.5).clip(1, 255), 0)
            total += share * np.clip(distance / (4 * VOXEL_M), -1, 1)
            observations += used & (distance < 4 * VOXEL_M)
            weight += share
        expected = np.where(weight > 0, total / np.maximum(weight, 1), 0)
        certain = inside & (volume.views.weight[row] == weight)
        assert certain.sum() >= 0.98 * inside.sum()
        np.testing.assert_allclose(volume.views.tsdf[row][certain], expected[certain], atol=2e-3)
        assert (volume.views.observations[row] == observations)[certain].mean() > 0.99


def test_the_pose_of_another_camera_is_refused():
    with pytest.raises(CoordinateSystemMismatchError, match="T_world_color"):
        fused((wall(2.0), RigidTransform.identity("world", "color"), None))


def test_an_empty_depth_map_changes_nothing():
    volume = fused((wall(0.0), AT_ORIGIN, None))
    assert len(volume) == 0
    assert len(extract_mesh(volume, 1).vertices) == 0


def test_views_are_void_once_the_volume_has_grown():
    volume = fused((wall(2.0), AT_ORIGIN, None))
    views = volume.views
    assert views.tsdf.shape[1] == 512
    volume.rows_of(np.arange(6000, dtype=np.int64))
    with pytest.raises(RuntimeError, match="the volume has grown"):
        views.tsdf.sum()


def test_surface_that_no_picture_has_seen_is_grey_to_its_very_edge():
    colors = np.full((120, 160, 4), 255, np.uint8)
    colors[:, :80] = 0
    mesh = extract_mesh(fused((wall(2.0), AT_ORIGIN, colors)), 1)
    seen = mesh.vertices[:, 0] > 0.05
    assert (mesh.colors[seen] == 255).all()
    assert (mesh.colors[mesh.vertices[:, 0] < -0.05] == 128).all()
    assert set(np.unique(mesh.colors)) == {128, 255}


def test_without_pictures_there_are_no_colours():
    assert extract_mesh(fused((wall(2.0), AT_ORIGIN, None)), 1).colors is None


@pytest.mark.parametrize(("sigma_m", "weight"), [(0.003, 113), (0.011, 8), (0.03, 1)])
def test_a_weight_is_what_one_frame_of_that_certainty_leaves(sigma_m, weight):
    """(31.9 mm / sigma)^2, rounded."""
    volume = fused((wall_certain_to(sigma_m, 2.0), AT_ORIGIN, None))
    assert int(volume.views.weight.max()) == weight
    assert volume.weight_of(sigma_m) == pytest.approx(weight, rel=0.15)
