"""Tracking: known motions are found, and what cannot be known is refused."""

import numpy as np

from sensorfusion.camera import Camera, ray_table
from sensorfusion.config import TrackingSettings
from sensorfusion.depth_map import DepthMap
from sensorfusion.distortion import Distortion
from sensorfusion.fusion.integrate_depth import integrate_depth
from sensorfusion.fusion.volume import Volume
from sensorfusion.noise import DepthNoise
from sensorfusion.odometry.keyframe import Keyframe, motion_since
from sensorfusion.odometry.pyramid import build_pyramid
from sensorfusion.odometry.rgbd import RgbdTracker, observe
from sensorfusion.transform import RigidTransform, rotation_from_vector

CAMERA = Camera("depth", 320, 240, 280.0, 280.0, 159.5, 119.5)
BOX_M = np.array([0.9, 0.6, 1.8])  # half sizes of a room around the origin
# One frame fused: walls seen at a grazing angle lie up to a few millimetres off in the model.
FOUND_M = 2.5e-3
START = RigidTransform.identity("world", "depth")


def moved(translation_m, rotation_rad=(0.0, 0.0, 0.0)):
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_from_vector(np.array(rotation_rad))
    matrix[:3, 3] = translation_m
    return RigidTransform("world", "depth", matrix)


def inside_box(pose, camera=CAMERA):
    """Depth and colour of a box seen from within, by intersecting rays with its six planes."""
    rays = np.insert(ray_table(camera).astype(np.float64), 2, 1.0, axis=-1) @ pose.rotation.T
    origin = pose.translation_m
    with np.errstate(divide="ignore"):
        distances = np.where(rays > 0, (BOX_M - origin) / rays, (-BOX_M - origin) / rays)
    metres = distances.min(axis=-1)
    hits = origin + rays * metres[..., None]
    grey = 120 + 40 * np.sin(9 * hits).sum(axis=-1)
    colors = np.full((*metres.shape, 4), 255, np.uint8)
    colors[..., :3] = grey[..., None].clip(0, 255).astype(np.uint8)
    return DepthMap(metres.astype(np.float32), camera, 0), colors


def begun(camera=CAMERA, settings=TrackingSettings()):  # noqa: B008 - frozen
    """A tracker that has seen the box once, and its model."""
    tracker, volume = RgbdTracker(settings, START, DepthNoise.unknown()), Volume(0.01, 0.04)
    depth, colors = inside_box(START, camera)
    tracker.track(observe(depth, colors), volume.views)
    integrate_depth(volume, depth, START)
    return tracker, volume


def distance_m(result, truth):
    return float(np.linalg.norm(result.T_world_camera.translation_m - truth.translation_m))


def test_a_small_motion_is_found_to_millimetres():
    tracker, volume = begun()
    truth = moved([0.02, -0.01, 0.015], [0.01, -0.02, 0.005])
    result = tracker.track(observe(*inside_box(truth)), volume.views)
    assert not result.refused
    assert distance_m(result, truth) < FOUND_M


def test_a_motion_beyond_the_truncation_is_found_through_the_keyframe():
    tracker, volume = begun()
    truth = moved([0.12, 0.05, -0.06], [0.05, -0.12, 0.03])
    result = tracker.track(observe(*inside_box(truth)), volume.views)
    assert not result.refused
    assert distance_m(result, truth) < FOUND_M


def test_a_lens_on_the_depth_camera_does_not_bend_the_motion():
    camera = Camera(
        "depth", 320, 240, 280, 280, 159.5, 119.5,
        Distortion("brown_conrady", (-0.2, 0.05, 0.001, -0.002, 0.0)),
    )  # fmt: skip
    tracker, volume = begun(camera)
    truth = moved([0.08, 0.03, -0.04], [0.03, -0.08, 0.02])
    result = tracker.track(observe(*inside_box(truth, camera)), volume.views)
    assert not result.refused
    assert distance_m(result, truth) < FOUND_M


def test_depth_alone_is_enough():
    tracker, volume = begun()
    truth = moved([0.02, 0.0, 0.02], [0.0, 0.02, 0.0])
    result = tracker.track(observe(inside_box(truth)[0], None), volume.views)
    assert not result.refused
    assert distance_m(result, truth) < FOUND_M


def test_a_camera_carried_elsewhere_is_refused():
    tracker, volume = begun()
    result = tracker.track(
        observe(*inside_box(moved([0.0, 0.0, 0.0], [0.0, 2.5, 0.0]))), volume.views
    )
    assert result.refused
    np.testing.assert_array_equal(result.T_world_camera.matrix, START.matrix)


def test_after_a_loss_more_overlap_is_asked_for_than_on_the_way():
    """Overlap of about nine tenths: enough on the way, not enough to find back to 0.99."""
    new = moved([0.0, 0.0, 0.0], [0.0, 0.1, 0.0])
    nothing = DepthMap(np.zeros((240, 320), np.float32), CAMERA, 0)
    refusals = []
    for before in ((), (nothing,)):
        tracker, volume = begun(settings=TrackingSettings(overlap_to_regain=0.99))
        for depth in before:
            tracker.track(observe(depth, None), volume.views)
        refusals.append(tracker.track(observe(*inside_box(new)), volume.views).refused)
    assert refusals == ["", "overlap too small"]


def test_a_covered_lens_is_refused_and_then_tracking_goes_on():
    tracker, volume = begun()
    nothing = DepthMap(np.zeros((240, 320), np.float32), CAMERA, 0)
    assert tracker.track(observe(nothing, None), volume.views).refused == "too little depth"
    truth = moved([0.01, 0.0, 0.01])
    assert distance_m(tracker.track(observe(*inside_box(truth)), volume.views), truth) < FOUND_M


def test_a_covered_lens_does_not_begin_a_world():
    tracker, volume = (
        RgbdTracker(TrackingSettings(), START, DepthNoise.unknown()),
        Volume(0.01, 0.04),
    )
    nothing = DepthMap(np.zeros((240, 320), np.float32), CAMERA, 0)
    assert tracker.track(observe(nothing, None), volume.views).refused == "too little depth"


def test_a_bare_wall_cannot_place_a_camera():
    wall = DepthMap(np.full((240, 320), 1.5, np.float32), CAMERA, 0)
    tracker, volume = (
        RgbdTracker(TrackingSettings(), START, DepthNoise.unknown()),
        Volume(0.01, 0.04),
    )
    tracker.track(observe(wall, None), volume.views)
    integrate_depth(volume, wall, START)
    assert (
        tracker.track(observe(wall, None), volume.views).refused
        == "free to slide along the surface"
    )


def test_the_motion_between_pictures_is_found_from_afar():
    truth = moved([0.1, 0.0, 0.0], [0.0, 0.15, 0.0])
    pyramids = [build_pyramid(*inside_box(pose)) for pose in (START, truth)]
    keyframe = Keyframe(pyramids[0], START.matrix)
    T_current_reference, agreed = motion_since(keyframe, pyramids[1], np.eye(4))
    error = T_current_reference @ truth.matrix
    assert np.linalg.norm(error[:3, 3]) < 0.01
    assert agreed > 0.6
