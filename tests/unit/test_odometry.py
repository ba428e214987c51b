"""Tracking: known motions are found, and what cannot be known is refused."""

from dataclasses import replace

import numpy as np
import pytest

from sensorfusion.camera import Camera, ray_table
from sensorfusion.config import TrackingSettings
from sensorfusion.depth_map import DepthMap
from sensorfusion.distortion import Distortion
from sensorfusion.fusion.integrate_depth import integrate_depth
from sensorfusion.fusion.volume import Volume
from sensorfusion.imu import ImuSamples
from sensorfusion.noise import DepthNoise
from sensorfusion.odometry.imu import GyroPrior
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


def textured_wall(pose):
    """Depth and colour of the wall z = 1.5 m, which differs by its picture alone."""
    rays = np.insert(ray_table(CAMERA).astype(np.float64), 2, 1.0, axis=-1) @ pose.rotation.T
    metres = (1.5 - pose.translation_m[2]) / rays[..., 2]
    hits = pose.translation_m + rays * metres[..., None]
    grey = 80 + 35 * np.sin(9 * hits[..., :2]).sum(axis=-1)
    colors = np.full((*metres.shape, 4), 255, np.uint8)
    colors[..., :3] = np.rint(grey)[..., None]
    return DepthMap(metres.astype(np.float32), CAMERA, 0), colors


def plain_wall(pose):
    depth, colors = textured_wall(pose)
    return depth, np.full_like(colors, 120)


def begun(camera=CAMERA, settings=TrackingSettings(), gyro=None):  # noqa: B008 - frozen
    """A tracker that has seen the box once, and its model."""
    return begun_with(*inside_box(START, camera), settings, gyro)


def begun_with(depth, colors, settings=TrackingSettings(), gyro=None):  # noqa: B008 - frozen
    """A tracker that has seen one frame, and its model."""
    tracker = RgbdTracker(settings, START, DepthNoise.unknown(), gyro)
    volume = Volume(0.01, 0.04)
    tracker.track(observe(depth, colors), volume.views)
    integrate_depth(volume, depth, START)
    return tracker, volume


def exposed(colors, gain, offset):
    """The same picture after the camera changed its exposure; nothing is cut off."""
    out = colors.copy()
    out[..., :3] = np.rint(gain * colors[..., :3].astype(np.float64) + offset)
    return out


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


SIDEWAYS = moved([0.03, -0.02, 0.01], [0.0, 0.01, 0.02])


def test_a_plain_wall_cannot_place_a_camera_even_with_its_picture():
    tracker, volume = begun_with(*plain_wall(START))
    result = tracker.track(observe(*plain_wall(SIDEWAYS)), volume.views)
    assert result.refused == "free to slide along the surface"


def test_the_picture_of_a_textured_wall_places_a_camera():
    tracker, volume = begun_with(*textured_wall(START))
    result = tracker.track(observe(*textured_wall(SIDEWAYS)), volume.views)
    assert not result.refused
    assert distance_m(result, SIDEWAYS) < FOUND_M


# A factor of 1.5 and 20 grey levels within one frame: what an exposure that adapts does at worst.
@pytest.mark.parametrize(("gain", "offset"), [(1.5, 20.0), (0.8, -5.0)])
def test_a_change_of_exposure_does_not_move_the_camera(gain, offset):
    placed = []
    for light in ((1.0, 0.0), (gain, offset)):
        tracker, volume = begun_with(*textured_wall(START))
        depth, colors = textured_wall(SIDEWAYS)
        result = tracker.track(observe(depth, exposed(colors, *light)), volume.views)
        assert not result.refused
        placed.append(result.T_world_camera.matrix)
    np.testing.assert_allclose(placed[1], placed[0], atol=5e-4)


def test_gain_and_offset_of_the_light_are_found_with_the_motion():
    (depth_0, colors_0), (depth_1, colors_1) = textured_wall(START), textured_wall(SIDEWAYS)
    keyframe = Keyframe(build_pyramid(depth_0, colors_0), START.matrix)
    now = build_pyramid(depth_1, exposed(colors_1, 1.5, 20.0))
    T_current_reference, _ = motion_since(keyframe, now, np.eye(4))
    error = T_current_reference @ SIDEWAYS.matrix
    assert np.linalg.norm(error[:3, 3]) < 1e-3
    gain, offset = keyframe.light
    assert gain == pytest.approx(1.5, rel=0.02)
    # Of the mean grey 80 that one per cent of gain shifts by 1.2.
    assert gain * 80 + offset == pytest.approx(1.5 * 80 + 20, abs=1.5)


FRAME_NS = 33_333_333


def turning_by(rotation_rad):
    """The prior of a gyroscope that turned at one rate from time 0 to beyond the next frame."""
    stamps_ns = np.arange(0, 2 * FRAME_NS, 5_000_000, dtype=np.int64)
    rates = np.tile(np.array(rotation_rad) / (FRAME_NS * 1e-9), (len(stamps_ns), 1))
    return GyroPrior(ImuSamples("imu", stamps_ns, rates, np.zeros_like(rates)), np.eye(3))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_turn_too_large_for_a_guess_is_found_from_the_gyroscope_s(axis):
    """30 degrees between two frames: neither constant velocity nor the keyframe foresees it."""
    turn = np.deg2rad(30.0) * np.eye(3)[axis]
    truth = moved([0.01, 0.0, 0.0], turn)
    depth, colors = inside_box(truth)
    frame = observe(replace(depth, timestamp_ns=FRAME_NS), colors)
    tracker, volume = begun()
    without = tracker.track(frame, volume.views)
    assert without.refused or distance_m(without, truth) > 4 * FOUND_M
    tracker, volume = begun(gyro=turning_by(turn))
    result = tracker.track(frame, volume.views)
    assert not result.refused
    assert distance_m(result, truth) < FOUND_M


def test_a_gyroscope_that_ends_early_leaves_tracking_as_it_is_without():
    truth = moved([0.02, -0.01, 0.015], [0.01, -0.02, 0.005])
    depth, colors = inside_box(truth)
    frame = observe(replace(depth, timestamp_ns=FRAME_NS), colors)
    short = ImuSamples("imu", np.arange(3) * 5_000_000, np.ones((3, 3)), np.zeros((3, 3)))
    placed = []
    for gyro in (None, GyroPrior(short, np.eye(3))):
        tracker, volume = begun(gyro=gyro)
        placed.append(tracker.track(frame, volume.views).T_world_camera.matrix)
    np.testing.assert_array_equal(*placed)


def test_the_motion_between_pictures_is_found_from_afar():
    truth = moved([0.1, 0.0, 0.0], [0.0, 0.15, 0.0])
    pyramids = [build_pyramid(*inside_box(pose)) for pose in (START, truth)]
    keyframe = Keyframe(pyramids[0], START.matrix)
    T_current_reference, agreed = motion_since(keyframe, pyramids[1], np.eye(4))
    error = T_current_reference @ truth.matrix
    assert np.linalg.norm(error[:3, 3]) < 0.01
    assert agreed > 0.6
