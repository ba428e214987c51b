"""Depth between the beams of a scan: triangles of its surface in a camera."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from sensorfusion.camera import Camera
from sensorfusion.depth import _mesh_draw_kernels, _mesh_kernels
from sensorfusion.depth.mesh_completion import complete_mesh, points_in_view
from sensorfusion.depth.organise import organise
from sensorfusion.depth_map import Origin
from sensorfusion.distortion import Distortion
from sensorfusion.errors import CoordinateSystemMismatchError
from sensorfusion.lidar import Lidar
from sensorfusion.point_cloud import PointCloud
from sensorfusion.simulate.lidar import spinning_lidar
from sensorfusion.simulate.lidar_rig import LidarRig, street_rig
from sensorfusion.simulate.street import street, street_drive
from sensorfusion.transform import RigidTransform

LIDAR = Lidar(name="lidar", constant_m=0.01, beam_width_rad=0.0)
CAMERA = Camera("camera", 200, 100, 200.0, 200.0, 99.5, 49.5)
AXES = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
"""From x forward, y left, z up to x right, y down, z forward."""


def camera_at(x=0.0, y=0.0, z=0.0):
    """Return T_camera_lidar of a camera that looks along x from a place in the LiDAR's axes."""
    matrix = np.eye(4)
    matrix[:3, :3] = AXES
    matrix[:3, 3] = -AXES @ (x, y, z)
    return RigidTransform("camera", "lidar", matrix)


def scan(range_of, elevations_deg, azimuths_deg, *, beams_empty=None):
    """Return the range image of what ``range_of`` says of each direction, NaN for nothing."""
    elevation, azimuth = np.meshgrid(
        np.deg2rad(elevations_deg), np.deg2rad(azimuths_deg), indexing="ij"
    )
    level = np.cos(elevation)
    rays = np.stack([level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation)], axis=-1)
    points = rays * range_of(rays)[..., None]
    found = np.isfinite(points).all(axis=-1)
    row, column = np.nonzero(found)
    cloud = PointCloud(
        points[found].astype(np.float32),
        "lidar",
        ring=row.astype(np.uint16),
        column=column.astype(np.int32),
        empty_beams=None if beams_empty is None else rays[beams_empty].astype(np.float32),
    )
    return organise(cloud, LIDAR)


def wall(distance_m):
    """Return the ranges of a wall across x."""
    return lambda rays: distance_m / rays[..., 0]


GRID = (np.arange(10.0, -10.1, -1.0), np.arange(20.0, -20.1, -1.0))


def test_two_rings_on_a_wall_give_the_wall_between_them():
    image = scan(wall(10.0), [5.0, -5.0], np.arange(20.0, -20.1, -1.0))
    depth = complete_mesh(image, CAMERA, camera_at(), LIDAR)
    inside = depth.metres[35:65, 40:160]
    np.testing.assert_allclose(inside, 10.0, rtol=1e-5)


def test_slanted_ground_between_beams_is_exact():
    image = scan(lambda rays: -2.0 / rays[..., 2], np.arange(-4.0, -16.0, -0.5), GRID[1])
    depth = complete_mesh(image, CAMERA, camera_at(), LIDAR)
    rows, columns = np.nonzero(depth.origins() == Origin.FILLED)
    assert len(rows) > 4000
    # A ray of row v falls (v - cy) / fy for each metre ahead, and the ground is 2 m below.
    expected = 2.0 / ((rows - CAMERA.cy) / CAMERA.fy)
    np.testing.assert_allclose(depth.metres[rows, columns], expected, rtol=1e-4)


def test_ground_stays_whole_where_rings_are_metres_apart():
    image = scan(lambda rays: -2.0 / rays[..., 2], np.arange(-1.5, -6.0, -0.4), GRID[1])
    depth = complete_mesh(image, CAMERA, camera_at(), LIDAR)
    # -2 to -5 degrees: rows 57 to 66.
    assert (depth.metres[57:66, 50:150] > 0).all()


def test_a_jump_is_not_bridged():
    def step(rays):
        return np.where(rays[..., 1] > 0, 5.0, 10.0) / rays[..., 0]

    image = scan(step, GRID[0], np.arange(20.5, -20.6, -1.0))
    depth = complete_mesh(image, CAMERA, camera_at(), LIDAR)
    seen = depth.metres[depth.metres > 0]
    assert (np.isclose(seen, 5.0, rtol=1e-3) | np.isclose(seen, 10.0, rtol=1e-3)).all()
    # Between the beams at +0.5 and -0.5 degrees nobody knows.
    assert not depth.metres[40:60, 99].any()


def test_a_beam_without_return_is_a_hole():
    nothing = np.zeros((len(GRID[0]), len(GRID[1])), bool)
    nothing[10, 20] = True

    def hole(rays):
        return np.where(nothing, np.nan, 10.0 / rays[..., 0])

    with_hole = complete_mesh(scan(hole, *GRID, beams_empty=nothing), CAMERA, camera_at(), LIDAR)
    assert with_hole.metres[49, 99] == 0
    assert with_hole.metres[49, 110] == pytest.approx(10.0, rel=1e-4)
    assert Origin.NO_RETURN in with_hole.origins()[48:52, 98:102]


def test_a_wider_gap_than_beams_are_apart_is_not_bridged():
    def gap(rays):
        beside = np.abs(np.arctan2(rays[..., 1], rays[..., 0])) < np.deg2rad(3.5)
        return np.where(beside, np.nan, 10.0 / rays[..., 0])

    depth = complete_mesh(scan(gap, *GRID), CAMERA, camera_at(), LIDAR)
    assert not depth.metres[40:60, 90:110].any()
    assert (depth.metres[40:60, 50:80] > 0).all()


def test_the_seam_of_a_full_turn_is_joined():
    # Columns begin straight ahead: the seam lies in the middle of the picture.
    azimuths = np.arange(-0.5, -360.0, -1.0)
    image = scan(lambda rays: 10.0 / np.hypot(rays[..., 0], rays[..., 1]), GRID[0], azimuths)
    assert image.wraps
    depth = complete_mesh(image, CAMERA, camera_at(), LIDAR)
    assert (depth.metres[40:60, 60:140] > 0).all()


def test_a_seam_behind_the_camera_is_joined_too():
    azimuths = np.arange(179.5, -180.0, -1.0)
    image = scan(lambda rays: 10.0 / np.hypot(rays[..., 0], rays[..., 1]), GRID[0], azimuths)
    matrix = np.eye(4)
    matrix[:3, :3] = AXES @ np.diag([-1.0, -1.0, 1.0])
    behind = RigidTransform("camera", "lidar", matrix)
    depth = complete_mesh(image, CAMERA, behind, LIDAR)
    assert (depth.metres[40:60, 60:140] > 0).all()


def test_rings_whose_firings_are_staggered_are_joined_at_their_true_directions():
    upper, lower = np.arange(20.0, -20.1, -1.0), np.arange(23.3, -16.8, -1.0)
    rays = []
    for elevation_deg, azimuths_deg in ((2.0, upper), (-2.0, lower)):
        azimuth, elevation = np.deg2rad(azimuths_deg), math.radians(elevation_deg)
        level = math.cos(elevation)
        height = np.full_like(azimuth, math.sin(elevation))
        rays.append(np.stack([level * np.cos(azimuth), level * np.sin(azimuth), height], axis=-1))
    points = np.concatenate([ray * (10.0 / ray[:, :1]) for ray in rays]).astype(np.float32)
    ring = np.repeat(np.array([0, 1], np.uint16), 41)
    column = np.tile(np.arange(41, dtype=np.int32), 2)
    image = organise(PointCloud(points, "lidar", ring=ring, column=column), LIDAR)
    depth = complete_mesh(image, CAMERA, camera_at(), LIDAR)
    np.testing.assert_allclose(depth.metres[44:55, 60:140], 10.0, rtol=1e-5)


def test_a_nearer_surface_hides_a_farther_one_from_a_camera_beside_the_lidar():
    def post(rays):
        azimuth = np.arctan2(rays[..., 1], rays[..., 0])
        near = np.abs(azimuth) < np.deg2rad(5.0)
        return np.where(near, 4.0, 20.0) / rays[..., 0]

    image = scan(post, GRID[0], np.arange(25.0, -25.1, -0.5))
    # 0.5 m to the right: past the post's left rim it sees what the LiDAR sees there, too.
    depth = complete_mesh(image, CAMERA, camera_at(y=-0.5), LIDAR)
    # The post stands 4 m ahead from -0.35 to 0.35 m: at 0.15 to 0.85 m left of the camera.
    left, right = 99.5 - 200 * 0.85 / 4, 99.5 - 200 * 0.15 / 4
    on_post = depth.metres[40:60, math.ceil(left) + 4 : int(right) - 4]
    np.testing.assert_allclose(on_post, 4.0, rtol=1e-3)


def test_points_that_stand_alone_are_drawn_and_hide_what_is_behind():
    alone = (10, 20)

    def pole(rays):
        ranges = 10.0 / rays[..., 0]
        ranges[alone] = 3.0
        return ranges

    depth = complete_mesh(scan(pole, *GRID), CAMERA, camera_at(), LIDAR)
    at = depth.metres[48:52, 98:102]
    assert at[at > 0] == pytest.approx(3.0, rel=1e-3)


def test_a_pixel_says_whether_a_point_was_measured_there():
    depth = complete_mesh(scan(wall(10.0), *GRID), CAMERA, camera_at(), LIDAR)
    origin = depth.origins()
    # The beam 1 degree up and 1 to the right: u = 99.5 + 200 tan 1, v = 49.5 - 200 tan 1 / cos 1.
    assert origin[46, 103] == Origin.MEASURED
    assert origin[48, 101] == Origin.FILLED
    assert origin[2, 2] == Origin.UNSEEN
    np.testing.assert_array_equal(depth.metres > 0, depth.sigma_m > 0)


def test_between_points_noise_averages_out_and_slant_adds_to_it():
    straight = complete_mesh(scan(wall(10.0), *GRID), CAMERA, camera_at(), LIDAR)
    assert straight.sigma_m[48, 101] == pytest.approx(0.007, rel=0.02)
    wide = Lidar(name="lidar", constant_m=0.01, beam_width_rad=0.002)
    ground = scan(lambda rays: -2.0 / rays[..., 2], np.arange(-4.0, -16.0, -0.5), GRID[1])
    depth = complete_mesh(ground, CAMERA, camera_at(), wide)
    # 10 degrees down, 11.5 m away: 0.002 x 11.5 / tan 10 = 0.13 m.
    assert depth.sigma_m[84, 101] == pytest.approx(0.13, rel=0.1)


def test_a_lens_with_distortion_sees_the_wall_too():
    lens = Distortion("brown_conrady", (-0.2, 0.05, 0.001, -0.001))
    camera = Camera("camera", 200, 100, 200.0, 200.0, 99.5, 49.5, lens)
    depth = complete_mesh(scan(wall(10.0), *GRID), camera, camera_at(), LIDAR)
    np.testing.assert_allclose(depth.metres[30:70, 50:150], 10.0, rtol=1e-3)


def test_a_panorama_holds_the_ranges_across_its_own_seam():
    lens = Distortion("spherical", ())
    per_rad = 360 / (2 * math.pi)
    camera = Camera("camera", 360, 21, per_rad, per_rad, 179.5, 10.0, lens)
    azimuths = np.arange(179.25, -180.0, -0.5)
    image = scan(lambda rays: np.full(rays.shape[:2], 7.0), GRID[0], azimuths)
    depth = complete_mesh(image, camera, camera_at(), LIDAR)
    np.testing.assert_allclose(depth.metres[1:20], 7.0, rtol=2e-4)


def test_a_scan_that_the_camera_does_not_see_leaves_it_empty():
    def behind(rays):
        return np.full(rays.shape[:2], 5.0)

    image = scan(behind, GRID[0], np.arange(200.0, 160.0, -1.0))
    depth = complete_mesh(image, CAMERA, camera_at(), LIDAR)
    assert not depth.metres.any()
    assert (depth.origins() == Origin.UNSEEN).all()


def test_a_scan_without_points_leaves_the_camera_empty():
    image = organise(PointCloud(np.empty((0, 3), np.float32), "lidar"), LIDAR)
    assert not complete_mesh(image, CAMERA, camera_at(), LIDAR).metres.any()


def test_threads_and_earlier_scans_of_other_sizes_leave_no_trace():
    scans = [
        scan(wall(10.0), *GRID),
        scan(wall(4.0), [2.0, 0.0], np.arange(5.0, -5.1, -1.0)),
        scan(lambda rays: -2.0 / rays[..., 2], np.arange(-4.0, -16.0, -0.5), GRID[1]),
    ]

    def complete(number):
        return complete_mesh(scans[number % 3], CAMERA, camera_at(), LIDAR).metres

    alone = [complete(number) for number in range(3)]
    with ThreadPoolExecutor(2) as pool:
        for number, metres in enumerate(pool.map(complete, range(30))):
            np.testing.assert_array_equal(metres, alone[number % 3])


def test_points_out_of_view_change_nothing_of_what_a_camera_sees():
    azimuths = np.arange(-0.5, -360.0, -1.0)
    whole = scan(lambda rays: 10.0 / np.hypot(rays[..., 0], rays[..., 1]), GRID[0], azimuths)
    chosen = points_in_view(whole.cloud, CAMERA, camera_at())
    # 26.6 degrees to either side, and a rim of 4.
    assert len(GRID[0]) * 52 < len(chosen) < len(GRID[0]) * 70
    in_view = complete_mesh(organise(whole.cloud, LIDAR, chosen), CAMERA, camera_at(), LIDAR)
    everything = complete_mesh(whole, CAMERA, camera_at(), LIDAR)
    np.testing.assert_allclose(in_view.metres, everything.metres, rtol=1e-6)
    np.testing.assert_array_equal(in_view.origins(), everything.origins())


def test_a_transform_of_another_camera_is_refused():
    image = scan(wall(10.0), *GRID)
    T_other_lidar = RigidTransform.identity("other", "lidar")
    with pytest.raises(CoordinateSystemMismatchError, match="T_camera_lidar"):
        complete_mesh(image, CAMERA, T_other_lidar, LIDAR)


def test_a_triangle_is_drawn_at_the_pixels_whose_centres_it_holds():
    rng = np.random.default_rng(5)
    vertices = np.zeros((3, _mesh_kernels.VERTEX), np.float32)
    for _ in range(20):
        vertices[:, _mesh_kernels.U] = rng.uniform(-5, 45, 3)
        vertices[:, _mesh_kernels.V] = rng.uniform(-5, 35, 3)
        vertices[:, _mesh_kernels.W] = rng.uniform(0.1, 1.0, 3)
        corners, noise = np.array([[0, 1, 2]], np.int32), np.zeros(3, np.float32)
        bands = []
        for first, end in ((0, 13), (13, 30)):
            layer = np.zeros((end - first + _mesh_draw_kernels.SPARE, 40), np.int64)
            band = np.array([first, end])
            _mesh_draw_kernels.draw_triangles(vertices, corners, noise, 0.0, band, layer)
            bands.append(layer[: end - first])
        layer = np.concatenate(bands)
        expected = drawn(vertices[:, :3].astype(np.float64))
        inverse_depth = (layer >> 32).astype(np.int32).view(np.float32)
        # Centres on the rim itself may fall to either side.
        assert ((inverse_depth > 0) != (expected > 0)).sum() <= 2
        both = (inverse_depth > 0) & (expected > 0)
        np.testing.assert_allclose(inverse_depth[both], expected[both], rtol=1e-3)


def drawn(corners):
    """Return the inverse depth of a triangle on 30 x 40 pixels: its plane where all weights > 0."""
    v, u = np.mgrid[:30, :40].astype(np.float64)
    places = np.stack([u, v, np.ones_like(u)])
    matrix = np.stack([corners[:, 0], corners[:, 1], np.ones(3)])
    weights = np.tensordot(np.linalg.inv(matrix), places, axes=1)
    inside = (weights >= 0).all(axis=0)
    return np.where(inside, np.tensordot(corners[:, 2], weights, axes=1), 0.0)


@pytest.fixture(scope="module")
def street_scans():
    """Return scans of a simulated street, each with the exact depth of the camera beside it."""
    lidar = spinning_lidar(64, 1024, highest_deg=2.0, lowest_deg=-24.8)
    rig = street_rig(lidar, 0.5)
    street_rides = LidarRig(street(1), rig, street_drive, shutter="global")
    scans = []
    for at_ns in (1_000_000_000, 7_000_000_000):
        cloud = street_rides.scan(at_ns, np.random.default_rng(at_ns)).cloud
        truth = street_rides.view("color", at_ns).z_m
        camera, T_camera_lidar = rig.cameras["color"], rig.transform("color", lidar.name)
        scans.append((complete_mesh(organise(cloud, lidar), camera, T_camera_lidar, lidar), truth))
    return scans


def test_what_the_mesh_says_of_its_errors_is_true_in_five_bins(street_scans):
    errors, sigmas = [], []
    for depth, truth in street_scans:
        seen = (depth.metres > 0) & (truth > 0)
        errors.append(np.abs(depth.metres - truth)[seen])
        sigmas.append(depth.sigma_m[seen])
    sigma = np.concatenate(sigmas)
    ratios = (np.concatenate(errors) / sigma)[np.argsort(sigma, kind="stable")]
    for part in np.array_split(ratios, 5):
        assert 0.7 <= np.percentile(part, 68.27) <= 1.3


def test_hardly_anything_far_shows_through_what_is_near(street_scans):
    for depth, truth in street_scans:
        seen = (depth.metres > 0) & (truth > 0)
        behind = depth.metres > truth + 0.3 + 0.05 * truth
        assert (behind & seen).sum() <= 0.01 * seen.sum()


def test_the_rim_of_a_fisheye_hides_only_what_is_one_beam_beside_it():
    # Ground 2 m below, seen up to 85 degrees off the axis, where x / z is 11 and z nearly 0.
    lens = Distortion("kannala_brandt", (0.01, -0.002, 0.0, 0.0))
    camera = Camera("camera", 640, 640, 200.0, 200.0, 319.5, 319.5, lens)
    image = scan(
        lambda rays: -2.0 / rays[..., 2], np.arange(-5.0, -30.1, -0.8), np.arange(180, -180, -0.7)
    )
    depth = complete_mesh(image, camera, camera_at(y=-0.3, z=-0.15), LIDAR)
    origin = depth.origins()
    assert (origin == Origin.OCCLUDED).sum() < 0.2 * (origin == Origin.MEASURED).sum()
    # A plane has no rim but at its first and last ring: between them all is filled.
    row, column = np.mgrid[0:640, 0:640]
    rays = camera.directions(np.stack([column, row], axis=-1).astype(float))
    down = 1.85 * rays[..., 2] / np.maximum(rays[..., 1], 1e-9)
    known = (rays[..., 1] > np.sin(np.deg2rad(10))) & (rays[..., 1] < np.sin(np.deg2rad(20)))
    known &= rays[..., 2] > 0.2
    assert (depth.metres[known] > 0).mean() > 0.95
    np.testing.assert_allclose(
        depth.metres[known & depth.valid], down[known & depth.valid], rtol=0.05
    )
