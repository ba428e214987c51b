from dataclasses import replace

import numpy as np
import pytest

from board_scene import placed, seen, small_camera, turned
from sensorfusion.calibration.board import Chessboard
from sensorfusion.calibration.board_depth import compare_depth
from sensorfusion.calibration.board_plane import board_plane
from sensorfusion.calibration.depth_faults import bowing_of, name_faults
from sensorfusion.camera import Camera
from sensorfusion.depth_map import DepthMap, Origin
from sensorfusion.distortion import Distortion
from sensorfusion.errors import CalibrationError
from sensorfusion.transform import RigidTransform

BOARD = Chessboard(8, 6, 0.03)
PICTURE = small_camera(Distortion("brown_conrady", (-0.2, 0.05, 0.001, 0.0)))
DEPTH = Camera("depth", 320, 240, 200.0, 201.0, 158.0, 121.0)


def _place(x=0.0, y=0.0, z=0.4, tilt_deg=12.0):
    return placed(BOARD, turned(tilt_deg, -tilt_deg, 5), (x, y, z))


def _between():
    """Return T_depth_camera: the picture is taken 4 cm beside the depth camera."""
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = turned(0.5, 1.0, -0.3), (0.04, 0.001, 0.002)
    return RigidTransform("depth", "camera", matrix)


def _measured(T_camera_board, T_depth_camera, camera=DEPTH):
    """Return true depth of the endless plane that a board lies in, and its rays' lengths / z."""
    T = (T_depth_camera @ T_camera_board).matrix
    u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    rays = camera.directions(np.stack([u, v], axis=-1))
    reach = (T[:3, 2] @ T[:3, 3]) / (rays @ T[:3, 2])
    z = np.where(reach > 0, reach * rays[..., 2], 0)
    return z, 1.0 / rays[..., 2]


def _depth(metres, camera=DEPTH, **layers):
    return DepthMap(metres.astype(np.float32), camera, 0, **layers)


def _compare(change, places=((0.0, 0.0),), noise_m=0.0, tilt_deg=12.0):
    """Return what is found of depth that ``change(z, length / z)`` made of the true one."""
    rng = np.random.default_rng(4)
    found = []
    for x, y in places:
        T = _place(x, y, tilt_deg=tilt_deg)
        plane = board_plane(seen(BOARD, PICTURE, T, 0.05, rng), PICTURE, BOARD.square_m)
        z, longer = _measured(T, _between())
        noise = rng.normal(0, noise_m, z.shape) if noise_m else 0.0
        one = compare_depth(plane, _depth(np.maximum(change(z, longer) + noise, 0)), _between())
        assert not isinstance(one, str)
        found.append(one)
    return found


def test_true_depth_has_the_ratio_1_and_no_fault():
    (found,) = _compare(lambda z, _: z, noise_m=0.002)
    assert found.ratio == pytest.approx(1, abs=1e-3)
    assert found.bias_m == pytest.approx(0, abs=5e-4)
    # Half of the errors of a normal distribution are within 0.6745 standard deviations.
    assert found.mad_m == pytest.approx(0.6745 * 0.002, rel=0.05)
    assert found.distance_m == pytest.approx(0.4, abs=0.03)
    assert name_faults([found], BOARD.square_m, 0.02) == ()


def test_scaled_depth_has_its_scale_as_ratio():
    (found,) = _compare(lambda z, _: 0.9 * z)
    assert found.ratio == pytest.approx(0.9, abs=1e-3)


def test_depth_with_an_offset_has_it_as_bias():
    (found,) = _compare(lambda z, _: z + 0.02)
    assert found.bias_m == pytest.approx(0.02, abs=5e-4)


AROUND = ((-0.15, -0.05), (0.12, 0.08), (0.0, 0.0))


def test_lengths_of_rays_taken_for_z_are_called_so():
    found = _compare(lambda z, longer: z * longer, AROUND, noise_m=0.001)
    bowing = bowing_of(found)
    assert bowing is not None
    assert bowing.slope == pytest.approx(1, abs=0.15)
    (told,) = name_faults(found, BOARD.square_m, 0.02)
    assert "lengths of rays had been taken for z" in told
    assert "-o depth-kind=range" in told


def test_z_taken_for_lengths_of_rays_is_called_so():
    found = _compare(lambda z, longer: z / longer, AROUND, noise_m=0.001)
    (told,) = name_faults(found, BOARD.square_m, 0.02)
    assert "z had been taken for lengths of rays" in told


def test_depth_that_is_bent_otherwise_is_said_to_be_bowed():
    found = _compare(lambda z, longer: z * (1 + 0.4 * (longer - 1)), AROUND)
    (told,) = name_faults(found, BOARD.square_m, 0.02)
    assert told.startswith("bowed by")
    assert "lens of the depth camera" in told


def test_a_scale_that_is_the_same_in_every_frame_names_the_boards_size_too():
    found = _compare(lambda z, _: 1.1 * z, AROUND)
    (told,) = name_faults(found, BOARD.square_m, 0.02)
    assert "the board's squares measure 33.0" in told


def test_units_that_are_often_mistaken_are_called_by_name():
    found = _compare(lambda z, _: 0.2 * z, AROUND)
    (told,) = name_faults(found, BOARD.square_m, 0.02)
    assert "millimetres taken for TUM's 5000 units a metre" in told


def test_a_unit_is_named_though_one_frame_is_off_and_depth_a_little_bowed():
    bent = _compare(lambda z, longer: 0.2 * z * (1 + 0.15 * (longer - 1)), AROUND)
    strange = replace(bent[0], ratio=0.17)
    scaled, bowed = name_faults([*bent, strange], BOARD.square_m, 0.02)
    assert scaled.startswith("3 of 4 frames are 0.2")
    assert "TUM's 5000 units a metre" in scaled
    assert bowed.startswith("bowed by")


def test_frames_that_differ_from_each_other_have_no_scale():
    found = _compare(lambda z, _: 1.1 * z, AROUND)
    apart = [replace(one, ratio=ratio) for one, ratio in zip(found, (1.1, 1.2, 1.3), strict=True)]
    assert name_faults(apart, BOARD.square_m, 0.02) == ()


def test_the_planes_stated_deviation_is_that_of_repeated_pictures():
    rng = np.random.default_rng(3)
    T = _place(0.05, 0.02)
    # The middle of the board is placed at z = 0.4.
    middle = np.append(0.5 * (BOARD.points_m[0] + BOARD.points_m[-1])[:2], (0, 1))
    ray = T.matrix @ middle
    errors, sigmas = [], []
    for _ in range(60):
        plane = board_plane(seen(BOARD, PICTURE, T, 0.2, rng), PICTURE, BOARD.square_m)
        normal, origin = plane.T_camera_board[:3, 2], plane.T_camera_board[:3, 3]
        errors.append((normal @ origin) / (normal @ ray[:3]) * ray[2] - 0.4)
        sigmas.append(plane.sigma_m)
    # Sixty draws tell a deviation to 9 percent.
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.mean(sigmas), rel=0.3)


def test_only_what_was_measured_is_compared():
    T = _place()
    plane = board_plane(seen(BOARD, PICTURE, T), PICTURE, BOARD.square_m)
    z, _ = _measured(T, _between())
    origin = np.full(z.shape, Origin.FILLED, np.uint8)
    origin[:, ::2] = Origin.MEASURED
    wrong = np.where(origin == Origin.MEASURED, z, 1.2 * z)
    found = compare_depth(plane, _depth(wrong, origin=origin), _between())
    assert not isinstance(found, str)
    assert found.ratio == pytest.approx(1, abs=1e-4)
    assert found.mad_m < 1e-4


def test_a_board_without_depth_is_said_to_have_none():
    T = _place()
    plane = board_plane(seen(BOARD, PICTURE, T), PICTURE, BOARD.square_m)
    told = compare_depth(plane, _depth(np.zeros((240, 320))), _between())
    assert told == "no depth on the board (0 pixels of it were measured)"


def test_what_lies_beside_the_board_is_not_compared():
    T = _place()
    plane = board_plane(seen(BOARD, PICTURE, T), PICTURE, BOARD.square_m)
    z, _ = _measured(T, _between())
    # The board's corners span 210 x 150 mm of it.
    inside = np.zeros(z.shape, bool)
    pixels = DEPTH.project((_between() @ T).apply(BOARD.points_m))
    low, high = pixels.min(axis=0).astype(int) - 1, pixels.max(axis=0).astype(int) + 2
    inside[low[1] : high[1], low[0] : high[0]] = True
    found = compare_depth(plane, _depth(np.where(inside, z, 5.0)), _between())
    assert not isinstance(found, str)
    assert found.ratio == pytest.approx(1, abs=1e-4)
    area_px = DEPTH.fx * DEPTH.fy * 0.21 * 0.15 / 0.4**2
    assert found.pixels == pytest.approx(area_px, rel=0.1)


def test_a_panorama_is_compared_by_range():
    panorama = Camera("depth", 1440, 90, 230.0, 230.0, 720.0, 45.0, Distortion("spherical"))
    T = _place()
    plane = board_plane(seen(BOARD, PICTURE, T), PICTURE, BOARD.square_m)
    M = (_between() @ T).matrix
    u, v = np.meshgrid(np.arange(panorama.width), np.arange(panorama.height))
    rays = panorama.directions(np.stack([u, v], axis=-1))
    with np.errstate(divide="ignore"):
        reach = (M[:3, 2] @ M[:3, 3]) / (rays @ M[:3, 2])
    ranges = np.where((reach > 0) & (reach < 10), reach, 0)
    found = compare_depth(plane, _depth(1.05 * ranges, panorama), _between())
    assert not isinstance(found, str)
    assert found.ratio == pytest.approx(1.05, abs=1e-4)


def test_a_panorama_takes_no_picture_of_a_board():
    panorama = replace(DEPTH, fx=100.0, fy=100.0, distortion=Distortion("spherical"))
    with pytest.raises(CalibrationError, match="is a panorama"):
        board_plane(seen(BOARD, PICTURE, _place()), panorama, BOARD.square_m)
