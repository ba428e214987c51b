"""Fusion of scans: known surfaces come out where they are, and what went away goes."""

from dataclasses import replace

import numpy as np
import pytest

from sensorfusion._kernels import look_up, unpack
from sensorfusion.depth.organise import organise
from sensorfusion.errors import ConfigError, CoordinateSystemMismatchError
from sensorfusion.fusion._kernels import UNIT_WEIGHT_M
from sensorfusion.fusion._panorama_kernels import CLEAR, EXTENT, OFFSET, RANGE, SPREAD
from sensorfusion.fusion.carve import forget_passed
from sensorfusion.fusion.extract import extract_mesh
from sensorfusion.fusion.integrate_rays import integrate_rays
from sensorfusion.fusion.panorama import RayScan, panorama_of
from sensorfusion.fusion.volume import Volume
from sensorfusion.mesh.uncertainty import with_scan_errors
from sensorfusion.point_cloud import PointCloud
from sensorfusion.simulate.lidar import beam_directions, spinning_lidar
from sensorfusion.transform import RigidTransform

LIDAR = spinning_lidar(32, 512, far_m=50.0)
DIRECTIONS = beam_directions(LIDAR)
AT_ORIGIN = RigidTransform.identity("world", "lidar")
VOXEL_M = 0.05
SKY = np.inf


def plane(normal, offset_m):
    """Ranges at which all beams meet the plane normal . x = offset, infinite where never."""
    towards = DIRECTIONS @ np.asarray(normal, float)
    with np.errstate(divide="ignore"):
        ranges_m = offset_m / towards
    return np.where(ranges_m > 0, ranges_m, SKY)


def window(ranges_m, keep):
    """The same where a condition on the points holds, else infinite."""
    points = DIRECTIONS * np.where(np.isfinite(ranges_m), ranges_m, 0.0)[..., None]
    return np.where(keep(*np.moveaxis(points, -1, 0)), ranges_m, SKY)


def scan(*surfaces, noise_m=0.0, seed=0, known_normals=True, colors=None, empty=True):
    """A scan of surfaces (ranges, normal); the nearest one counts."""
    ranges_m = np.stack([one for one, _ in surfaces])
    which = ranges_m.argmin(axis=0)
    ranges_m = ranges_m.min(axis=0)
    hit = ranges_m < LIDAR.far_m
    column, ring = np.nonzero(hit)
    spread = np.random.default_rng(seed).normal(0, noise_m, hit.sum()) if noise_m else 0.0
    points = (DIRECTIONS[hit] * (ranges_m[hit] + spread)[:, None]).astype(np.float32)
    normals = np.array([normal for _, normal in surfaces], np.float32)[which[hit]]
    normals *= -np.sign(np.einsum("nc,nc->n", normals, points))[:, None]
    if not known_normals:
        normals[:] = 0
    cloud = PointCloud(
        points,
        "lidar",
        ring=ring.astype(np.uint16),
        column=column.astype(np.int32),
        empty_beams=DIRECTIONS[~hit].astype(np.float32) if empty else None,
    )
    if colors is not None:
        colors = np.tile(np.array(colors, np.uint8), (len(points), 1))
    return RayScan(organise(cloud, LIDAR), LIDAR, normals, colors)


WALL = (window(plane((1, 0, 0), 4.0), lambda x, y, z: np.abs(y) < 4.0), (1, 0, 0))
FLOOR = (window(plane((0, 0, 1), -1.2), lambda x, y, z: np.hypot(x, y) < 12.0), (0, 0, 1))


def fused(*scans, pose=AT_ORIGIN):
    volume = Volume(VOXEL_M, 4 * VOXEL_M, with_passes=True)
    for one in scans:
        integrate_rays(volume, one, pose)
    return volume


def mesh_of(*scans, pose=AT_ORIGIN):
    return extract_mesh(fused(*scans, pose=pose), 0.5)


def test_a_floor_is_where_it_is_and_closed_between_rings_that_lie_apart():
    """At 6 m rings are 0.7 m apart on the floor: 14 voxels."""
    mesh = mesh_of(scan(FLOOR))
    away = np.hypot(mesh.vertices[:, 0], mesh.vertices[:, 1])
    inner = (away > 3.2) & (away < 7.0)
    assert np.abs(mesh.vertices[inner, 2] + 1.2).max() < 1e-3
    cells = np.unique(np.floor(mesh.vertices[inner, :2] / 0.1).astype(int), axis=0)
    assert len(cells) * 0.01 > 0.97 * np.pi * (7.0**2 - 3.2**2)


def test_a_wall_is_where_it_is_whatever_way_the_sensor_stands():
    turn = np.eye(4)
    c, s = np.cos(0.5), np.sin(0.5)
    turn[:3, :3] = [[c, -s, 0], [s, c, 0], [0, 0, 1]]
    turn[:3, 3] = (1.0, -2.0, 0.3)
    mesh = mesh_of(scan(WALL), pose=RigidTransform("world", "lidar", turn))
    across = (mesh.vertices - turn[:3, 3]) @ turn[:3, 0]
    assert len(mesh.vertices) > 5_000
    assert np.abs(across - 4.0).max() < 1e-3


def test_normals_point_to_the_sensor():
    mesh = mesh_of(scan(WALL))
    assert (mesh.normals[:, 0] < -0.99).mean() > 0.95


def test_no_surface_is_made_between_what_stands_apart():
    near = window(plane((1, 0, 0), 3.0), lambda x, y, z: y > 0)
    mesh = mesh_of(scan((near, (1, 0, 0)), (plane((1, 0, 0), 5.0), (1, 0, 0))))
    x = mesh.vertices[:, 0]
    assert not ((x > 3.1) & (x < 4.9)).any()


def test_no_surface_is_made_across_beams_without_return():
    left = window(WALL[0], lambda x, y, z: np.abs(y) > 0.5)
    mesh = mesh_of(scan((left, (1, 0, 0))))
    assert np.abs(mesh.vertices[:, 1]).min() > 0.4


def test_a_scan_without_normals_makes_walls_that_face_the_beams():
    facing = window(WALL[0], lambda x, y, z: np.hypot(y, z) < 0.7)
    mesh = mesh_of(scan((facing, (1, 0, 0)), known_normals=False))
    assert len(mesh.vertices) > 100
    assert np.abs(mesh.vertices[:, 0] - 4.0).max() < 0.03


def test_scans_from_a_moving_origin_are_looked_up_from_there():
    """The whole scan was fired 0.5 m to the left of where its coordinates begin."""
    shift = np.array([0.0, 0.5, 0.0], np.float32)
    box = window(plane((1, 0, 0), 1.5), lambda x, y, z: np.abs(y) < 0.3)
    here = scan((box, (1, 0, 0)), WALL)
    cloud = replace(here.image.cloud, points=here.image.cloud.points + shift)
    origins_m = np.tile(shift, (LIDAR.columns, 1))
    moved = RayScan(replace(here.image, cloud=cloud), LIDAR, here.normals, origins_m=origins_m)
    back = np.eye(4)
    back[:3, 3] = -shift
    pose = RigidTransform("world", "lidar", back)
    expected, found = mesh_of(here), mesh_of(moved, pose=pose)
    assert len(found.vertices) == pytest.approx(len(expected.vertices), rel=5e-3)
    assert np.abs(np.sort(found.vertices[:, 0])[:300] - 1.5).max() < 1e-3


def test_a_voxel_holds_the_distance_to_the_plane_of_its_pixel():
    """Against a plain twin in float64, over every voxel of the blocks that were touched."""
    one = scan(WALL, FLOOR)
    volume = fused(one)
    views = volume.views
    view = panorama_of(one, VOXEL_M)
    keys = np.sort(views.keys[views.keys >= 0])
    rows = look_up(views.keys, views.indices, keys)
    local = np.mgrid[:8, :8, :8].reshape(3, -1)[::-1].T
    places = (unpack(keys)[:, None] * 8 + local[None]) * VOXEL_M
    x, y, z = np.moveaxis(places, -1, 0)
    per_rad, top, rows_per_rad = view.view.astype(float)
    columns = len(view.origins)
    height = (len(view.table) - 1) // columns
    u = (np.arctan2(y, x) + np.pi) * per_rad
    v = (top - np.arctan2(z, np.hypot(x, y))) * rows_per_rad
    # Where rounding decides, the two may differ.
    sure = (np.abs(u - np.rint(u)) > 0.01) & (np.abs(v - np.rint(v)) > 0.01)
    inside = (v >= 0) & (v < height)
    pixel = np.where(inside, 1 + u.astype(int) % columns * height + v.astype(int), 0)
    field = view.table.astype(float)[pixel]
    above = np.einsum("...c,...c->...", field[..., :3], places) - field[..., OFFSET]
    before = field[..., RANGE] - np.linalg.norm(places, axis=-1)
    sigma = field[..., SPREAD]
    sure &= np.abs(np.abs(above) - 0.2) > 1e-4
    reach = field[..., EXTENT] + VOXEL_M
    near = (sigma > 0) & (above < 0.2) & (above > -np.maximum(0.2, 3 * sigma))
    near &= before**2 - above**2 < reach**2
    share = np.clip((UNIT_WEIGHT_M / np.maximum(sigma, 1e-6)) ** 2 + 0.5, 1, 255).astype(int)
    tsdf, weight = views.tsdf[rows], views.weight[rows]
    agree = (weight == np.where(near, share, 0))[sure]
    assert agree.mean() > 0.999
    both = near & (weight > 0) & sure
    assert both.sum() > 10_000
    assert np.abs(tsdf - np.clip(above / 0.2, -1, 1))[both].max() < 1e-3
    free = np.linalg.norm(places, axis=-1) < field[..., CLEAR] - 0.2
    free &= (sigma == 0) | (above > 0.2)
    assert (views.passes[rows] == free)[sure].mean() > 0.999


def test_certainty_grows_with_the_scans():
    """At 4 m a range is good to 12 mm * 1.08; between beams it is at most a third of it less."""
    scans = [scan(WALL, noise_m=0.013, seed=k) for k in range(16)]
    mesh = with_scan_errors(mesh_of(*scans), LIDAR, VOXEL_M, 0.0)
    inner = np.hypot(mesh.vertices[:, 1], mesh.vertices[:, 2]) < 0.8
    error_m = mesh.vertices[inner, 0] - 4.0
    stated_m = mesh.sigma_m[inner]
    assert 0.4 * 0.013 / 4 < np.median(stated_m) < 0.013 / 4
    assert (np.abs(error_m) < 2 * stated_m).mean() > 0.95
    assert np.median(mesh.observations[inner]) == 16


def test_what_moved_away_goes_and_what_stands_stays():
    """A box before a wall in 3 scans, then gone; a post stays."""
    box = window(plane((1, 0, 0), 2.5), lambda x, y, z: (np.abs(y) < 0.5) & (z < 0.3))
    post = window(plane((1, 0, 0), 3.0), lambda x, y, z: np.abs(y - 1.0) < 0.1)
    nearer = (post, (1, 0, 0))
    volume = fused(*[scan((box, (1, 0, 0)), nearer, WALL)] * 3, *[scan(nearer, WALL)] * 6)

    def counts():
        x, y = extract_mesh(volume, 0.5).vertices[:, :2].T
        moved = (x > 2.2) & (x < 2.8) & (np.abs(y) < 0.7)
        return moved.sum(), ((x > 2.9) & (x < 3.1)).sum(), (x > 3.9).sum()

    before = counts()
    assert min(before) > 50
    assert forget_passed(volume) > 0
    after = counts()
    assert after[0] <= 0.03 * before[0]
    assert after[1] >= 0.95 * before[1]
    assert after[2] == before[2]


def test_beams_without_return_clear_what_stood_before_the_sky():
    box = window(plane((1, 0, 0), 2.5), lambda x, y, z: (np.abs(y) < 0.6) & (np.abs(z) < 0.6))
    thing = scan((box, (1, 0, 0)))
    far = window(plane((1, 0, 0), 30.0), lambda x, y, z: z < -10)
    nothing = scan((far, (1, 0, 0)))
    assert len(nothing.image.cloud.empty_beams)
    volume = fused(*[thing] * 2, *[nothing] * 5)
    assert forget_passed(volume) > 0
    x = extract_mesh(volume, 0.5).vertices[:, 0]
    assert not (x < 5).any()


def test_gaps_of_a_recording_clear_nothing():
    box = window(plane((1, 0, 0), 2.5), lambda x, y, z: (np.abs(y) < 0.6) & (np.abs(z) < 0.6))
    far = window(plane((1, 0, 0), 30.0), lambda x, y, z: z < -10)
    silent = scan((far, (1, 0, 0)), empty=False)
    volume = fused(scan((box, (1, 0, 0)), empty=False), *[silent] * 5)
    assert forget_passed(volume) == 0


def test_points_colour_what_they_measure_where_their_colour_is_known():
    red = extract_mesh(fused(scan(WALL, colors=(200, 10, 20, 255))), 0.5)
    assert np.abs(np.median(red.colors, axis=0) - (200, 10, 20)).max() <= 1
    assert extract_mesh(fused(scan(WALL, colors=(200, 10, 20, 0))), 0.5).colors is None


def test_the_same_scans_give_the_same_bytes():
    scans = [scan(WALL, FLOOR, noise_m=0.01, seed=k) for k in range(3)]
    first, second = mesh_of(*scans), mesh_of(*scans)
    np.testing.assert_array_equal(first.vertices, second.vertices)
    np.testing.assert_array_equal(first.triangles, second.triangles)


def test_a_scan_without_points_changes_nothing():
    nothing = PointCloud(np.zeros((0, 3), np.float32), "lidar")
    normals = np.zeros((0, 3), np.float32)
    volume = fused(RayScan(organise(nothing, LIDAR), LIDAR, normals))
    assert len(volume) == 0


def test_a_pose_of_another_sensor_is_refused():
    with pytest.raises(CoordinateSystemMismatchError, match="cannot place a scan of 'lidar'"):
        integrate_rays(
            Volume(VOXEL_M, 4 * VOXEL_M), scan(WALL), RigidTransform.identity("world", "depth")
        )


def test_a_volume_of_open3ds_kernels_is_refused():
    volume = Volume(VOXEL_M, 4 * VOXEL_M, own_kernels=False)
    with pytest.raises(ConfigError, match="CPU only"):
        integrate_rays(volume, scan(WALL), AT_ORIGIN)


def test_normals_of_other_points_are_refused():
    one = scan(WALL)
    with pytest.raises(ValueError, match="normals is float32"):
        replace(one, normals=one.normals[:-1])


def test_a_volume_without_passes_forgets_nothing():
    volume = Volume(VOXEL_M, 4 * VOXEL_M)
    integrate_rays(volume, scan(WALL), AT_ORIGIN)
    assert forget_passed(volume) == 0
