"""Edges of scans, depth maps and pictures, and how they are laid on each other."""

import math
from dataclasses import replace

import numpy as np
import pytest

from sensorfusion.calibration.edge_alignment import SECONDS, EdgeAlignment, changed_transform
from sensorfusion.calibration.edge_observation import MovedEdges, Observed
from sensorfusion.calibration.edge_points import edges_of_depth, edges_of_scan
from sensorfusion.calibration.estimate_rig import RigEstimate, refined_rig
from sensorfusion.calibration.picture_edges import edge_field, edge_strength
from sensorfusion.camera import Camera
from sensorfusion.depth_map import DepthMap
from sensorfusion.distortion import Distortion
from sensorfusion.image import Image
from sensorfusion.lidar import Lidar
from sensorfusion.point_cloud import PointCloud
from sensorfusion.range_image import NO_RETURN, RangeImage
from sensorfusion.rig import Rig
from sensorfusion.transform import RigidTransform, rotation_from_vector

CAMERA = Camera("camera", 160, 120, 150.0, 150.0, 79.5, 59.5)
STEP_RAD = math.radians(1.0)


def scan(range_of, rows=11, columns=21, intensity=None):
    """Return a scan of a grid of beams, one degree apart, whose ranges a function says."""
    up, left = np.meshgrid(
        STEP_RAD * (rows // 2 - np.arange(rows)),
        STEP_RAD * (columns // 2 - np.arange(columns)),
        indexing="ij",
    )
    beams = np.stack([np.cos(up) * np.cos(left), np.cos(up) * np.sin(left), np.sin(up)], axis=-1)
    range_m = range_of(beams, up, left)
    found = range_m > 0
    index = np.full(range_m.shape, NO_RETURN, np.int32)
    index[found] = np.arange(found.sum())
    points = (beams * range_m[..., None])[found].astype(np.float32)
    seen = None if intensity is None else intensity(up, left)[found].astype(np.float32)
    cloud = PointCloud(points, "lidar", intensity=seen)
    return RangeImage(cloud, index, range_m.astype(np.float32), wraps=False)


def azimuth_deg(points):
    return np.degrees(np.arctan2(points[:, 1], points[:, 0]))


def test_the_edge_of_a_post_lies_halfway_to_the_first_beam_that_misses_it():
    image = scan(lambda beams, up, left: np.where(np.abs(left) < 3.5 * STEP_RAD, 5.0, 20.0))
    edges = edges_of_scan(image)
    assert set(edges.kinds.tolist()) == {0}
    assert np.unique(np.round(np.abs(azimuth_deg(edges.points)), 2)).tolist() == [3.5]
    assert np.linalg.norm(edges.points, axis=1) == pytest.approx(5.0, abs=1e-4)
    assert edges.spacing_rad == pytest.approx(STEP_RAD, rel=0.02)


def test_a_roof_before_the_sky_has_an_edge_where_a_beam_found_nothing():
    image = scan(lambda beams, up, left: np.where(up < 1.5 * STEP_RAD, 10.0, 0.0))
    edges = edges_of_scan(image)
    assert set(edges.kinds.tolist()) == {1}
    elevation = np.degrees(np.arcsin(edges.points[:, 2] / 10.0))
    assert elevation == pytest.approx(1.5, abs=0.02)


def test_flat_ground_has_no_edge_however_far_rings_lie_apart():
    down = STEP_RAD * 7
    image = scan(lambda beams, up, left: 1.8 / np.sin(down - up))
    assert image.range_m.max() > 4 * image.range_m.min()
    assert len(edges_of_scan(image)) == 0


def test_paint_on_a_wall_is_an_edge_of_intensity():
    def wall(beams, up, left):
        return 8.0 / beams[..., 0]

    image = scan(wall, intensity=lambda up, left: np.where(left > 2.5 * STEP_RAD, 0.9, 0.1))
    edges = edges_of_scan(image)
    assert set(edges.kinds.tolist()) == {0}
    assert azimuth_deg(edges.points) == pytest.approx(2.5, abs=0.02)
    assert len(edges_of_scan(scan(wall, intensity=lambda up, left: np.full(up.shape, 0.4)))) == 0


def test_a_near_surface_ends_where_it_ends_beyond_a_shadow_without_depth():
    metres = np.full((120, 160), 3.0, np.float32)
    metres[30:90, 50:101] = 1.0
    metres[30:90, 101:108] = 0.0
    edges = edges_of_depth(DepthMap(metres, CAMERA, 0))
    u, v = CAMERA.project(edges.points.astype(float)).T
    beside = edges.kinds == 0
    assert np.unique(np.round(u[beside], 2)).tolist() == [49.5, 100.5]
    assert np.unique(np.round(v[~beside], 2)).tolist() == [29.5, 89.5]


def step_picture(width=160, height=120):
    pixels = np.full((height, width), 60, np.uint8)
    pixels[:, 80:] = 180
    return Image(pixels, "camera", 0)


def middle(strength):
    return float(strength @ np.arange(len(strength)) / strength.sum())


def test_brightness_that_changes_along_u_is_an_edge_of_the_first_kind_alone():
    along_u, along_v = edge_strength(step_picture(), CAMERA).astype(float)
    assert middle(along_u[60]) == pytest.approx(79.5, abs=0.05)
    assert along_u[60].max() > 0.5
    assert along_v.max() < 0.01


def test_points_anywhere_find_nothing_on_average_however_busy_a_picture_is():
    noise = np.random.default_rng(0).integers(0, 255, (120, 160)).astype(np.uint8)
    field = edge_field(edge_strength(Image(noise, "camera", 0), CAMERA), 3.0)
    assert abs(field.mean()) < 0.03 * np.abs(field).max()


def test_the_lens_is_undone_in_the_field_of_edges():
    bent = replace(CAMERA, distortion=Distortion("brown_conrady", (0.6, 0.0, 0.0, 0.0)))
    ray = np.array([0.4, 0.05, 1.0])
    column = round(float(bent.project(ray)[0]))
    pixels = np.full((120, 160), 60, np.uint8)
    pixels[:, column:] = 180
    along_u = edge_strength(Image(pixels, "camera", 0), bent)[0].astype(float)
    expected_u, row = CAMERA.project(ray)
    assert middle(along_u[round(row)]) == pytest.approx(expected_u, abs=1)
    assert abs(expected_u - column) > 3


def observed(strengths, edges, moves=True):
    return Observed(
        camera=CAMERA,
        T_camera_sensor=RigidTransform("camera", "lidar", to_camera()),
        strengths=strengths,
        edges_at=lambda late_ns: edges,
        spacing_rad=0.005,
        moves=moves,
        scenes=np.arange(len(strengths)) // 2,
    )


def to_camera():
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_from_vector(np.array([0.02, -0.03, 0.01])) @ np.array(
        [[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]]
    )
    matrix[:3, 3] = (0.1, -0.2, 0.05)
    return matrix


def random_edges(count, rng, frames=2):
    points = np.column_stack(
        [rng.uniform(4, 15, count), rng.uniform(-3, 3, count), rng.uniform(-2, 2, count)]
    )
    return MovedEdges(
        points,
        rng.integers(0, 2, count).astype(np.uint8),
        rng.integers(0, frames, count).astype(np.int32),
        rng.normal(size=(frames, 6)) * (3, 1, 0.5, 0.1, 0.2, 0.4),
    )


PRIOR = np.array([0.03, 0.03, 0.03, 0.1, 0.1, 0.1, 0.05])
SOME_CHANGE = np.array([0.004, -0.006, 0.003, 0.02, -0.01, 0.03, 0.02])


def blobs(rng):
    import cv2

    noise = rng.uniform(0, 1, (2, 120, 160)).astype(np.float32)
    return np.stack([cv2.GaussianBlur(each, (0, 0), 4) for each in noise]).astype(np.float16)


def test_the_score_is_the_field_under_each_projected_point_as_numpy_finds_it():
    rng = np.random.default_rng(1)
    edges, strengths = random_edges(400, rng), (blobs(rng), blobs(rng))
    alignment = EdgeAlignment(observed(strengths, edges), edges, 3.0, PRIOR)
    T = alignment.transform(SOME_CHANGE)
    expected = inside = 0
    late_s = SOME_CHANGE[SECONDS]
    for frame in (0, 1):
        velocity, turn = edges.twists[frame, :3], edges.twists[frame, 3:]
        chosen = edges.frames == frame
        moved = edges.points[chosen]
        way = np.cross(turn, moved) + velocity
        moved = moved - late_s * way + late_s**2 / 2 * np.cross(turn, way)
        pixels = CAMERA.project(T.apply(moved))
        field = edge_field(strengths[frame], 3.0)
        within = ((pixels >= 1) & (pixels < (158, 118))).all(axis=1)
        inside += int(within.sum())
        for (u, v), kind in zip(pixels[within], edges.kinds[chosen][within], strict=True):
            patch = field[kind][int(v) : int(v) + 2, int(u) : int(u) + 2].astype(float)
            expected += np.array([1 - v % 1, v % 1]) @ patch @ np.array([1 - u % 1, u % 1])
    sums = alignment.sums(SOME_CHANGE)
    assert sums.count == inside > 200
    assert sums.scores.sum() == pytest.approx(expected, rel=1e-5)


def test_slopes_and_bends_are_those_of_finite_differences():
    rng = np.random.default_rng(2)
    edges = random_edges(3000, rng)
    # Well within the picture, so that none leaves it.
    edges = edges.chosen(np.flatnonzero(np.abs(edges.points[:, 1]) < 0.2 * edges.points[:, 0]))
    edges = edges.chosen(np.flatnonzero(np.abs(edges.points[:, 2]) < 0.15 * edges.points[:, 0]))
    strengths = (blobs(rng), blobs(rng))
    alignment = EdgeAlignment(observed(strengths, edges), edges, 6.0, PRIOR)
    sums = alignment.sums(SOME_CHANGE)
    steps = np.eye(7) * (0.5 / sums.motion_px)
    scale = np.abs(sums.slopes.sum(axis=0) / sums.motion_px).max()
    for k in range(7):
        there, back = (alignment.sums(SOME_CHANGE + sign * steps[k]) for sign in (1, -1))
        slope = (there.scores.sum() - back.scores.sum()) / (2 * steps[k, k])
        error = (sums.slopes.sum(axis=0)[k] - slope) / sums.motion_px[k]
        assert abs(error) < 0.03 * scale
        bend = (there.slopes.sum(axis=0) - back.slopes.sum(axis=0)) / (2 * steps[k, k])
        both = sums.motion_px * sums.motion_px[k]
        largest = np.abs(sums.bend / np.outer(sums.motion_px, sums.motion_px)).max()
        # What is left out, the curvature of the projection, is largest of ways along the axis.
        flat = [0, 1, 3, 4, 6]
        if k in flat:
            assert np.abs((sums.bend[k] - bend) / both)[flat].max() < 0.2 * largest


def test_points_on_the_lines_of_a_picture_climb_to_them_and_time_stays_where_nothing_moves():
    rng = np.random.default_rng(3)
    pixels = np.full((120, 160), 60, np.uint8)
    pixels[40:80, 50:110] = 180
    along = rng.uniform(0, 1, (4, 60))
    places = np.concatenate(
        [
            np.column_stack([np.full(60, 49.5), 40 + 39 * along[0]]),
            np.column_stack([np.full(60, 109.5), 40 + 39 * along[1]]),
            np.column_stack([50 + 59 * along[2], np.full(60, 39.5)]),
            np.column_stack([50 + 59 * along[3], np.full(60, 79.5)]),
        ]
    )
    rays = np.insert(CAMERA.unproject(places), 2, 1.0, axis=1)
    true = RigidTransform("camera", "lidar", to_camera())
    points = true.inverse().apply(rays * rng.uniform(2, 9, 240)[:, None])
    edges = MovedEdges(
        points,
        np.repeat(np.array([0, 1], np.uint8), 120),
        np.zeros(240, np.int32),
        np.zeros((1, 6)),
    )
    strengths = (edge_strength(Image(pixels, "camera", 0), CAMERA),)
    off = np.array([0.008, -0.01, 0.012, 0, 0, 0, 0.0])
    seen = replace(
        observed(strengths, edges, moves=False), T_camera_sensor=changed_transform(true, off)
    )
    prior = PRIOR.copy()
    prior[SECONDS] = 0.0
    change = np.zeros(7)
    for sigma_px in (4.0, 2.0, 1.0):
        change = EdgeAlignment(seen, edges, sigma_px, prior).climb(change)
    moved = CAMERA.project(changed_transform(seen.T_camera_sensor, change).apply(points))
    assert np.abs(moved - places).max() < 0.5
    assert change[SECONDS] == 0.0


def test_a_change_turns_about_the_cameras_axes_and_moves_along_them():
    T = RigidTransform("camera", "lidar", to_camera())
    found = changed_transform(T, np.array([0, 0, math.pi / 2, 1.0, 2.0, 3.0, 0.5]))
    assert found.translation_m == pytest.approx(T.translation_m + np.array([1, 2, 3]))
    x, y, z = T.rotation
    assert found.rotation == pytest.approx(np.stack([-y, x, z]))


def test_a_refined_camera_moves_against_all_else_and_keeps_its_clock_where_nothing_moved():
    lidar, imu = Lidar(name="lidar"), "imu"
    T_lidar_camera = RigidTransform("camera", "lidar", to_camera()).inverse()
    T_imu_lidar = RigidTransform("imu", "lidar", np.eye(4))
    rig = Rig(
        {"camera": CAMERA},
        (T_lidar_camera, T_imu_lidar),
        imus=(imu,),
        lidars={"lidar": lidar},
        time_offsets_ns={"camera": 1000},
    )
    found = changed_transform(T_lidar_camera.inverse(), SOME_CHANGE)
    nothing = np.zeros(3)
    estimate = RigEstimate(found, 500, nothing, nothing, 0.001, np.zeros(6), None, None, "", ())
    refined = refined_rig(rig, estimate)
    assert refined.transform("camera", "lidar").matrix == pytest.approx(found.matrix)
    assert refined.transform("imu", "lidar").matrix == pytest.approx(np.eye(4))
    assert refined.time_offset_ns("camera") == 1500
    still = refined_rig(rig, replace(estimate, late_sigma_s=None, late_ns=0))
    assert still.time_offset_ns("camera") == 1000
