"""Cameras: pixels and rays, with and without a lens."""

import numpy as np
import pytest

from sensorfusion.camera import Camera, nearest_pixels, ray_table
from sensorfusion.distortion import Distortion
from sensorfusion.errors import CalibrationError

PINHOLE = Camera("camera", width=5, height=3, fx=10.0, fy=20.0, cx=2.0, cy=1.0)
COEFFICIENTS = (0.1, -0.2, 0.001, -0.002, 0.05)


def test_a_point_on_the_axis_falls_on_the_principal_point():
    np.testing.assert_array_equal(PINHOLE.project(np.array([0.0, 0, 7])), [2, 1])


def test_pixels_follow_focal_length_over_depth():
    np.testing.assert_allclose(PINHOLE.project(np.array([1.0, 1, 4])), [2 + 2.5, 1 + 5])


def test_points_behind_the_camera_have_no_pixel():
    assert np.isnan(PINHOLE.project(np.array([0.0, 0, -1]))).all()


def test_the_ray_table_undoes_projection():
    rays = ray_table(PINHOLE)
    assert rays.shape == (3, 5, 2)
    np.testing.assert_allclose(rays[1, 4], [0.2, 0])


@pytest.mark.parametrize("model", ["brown_conrady", "inverse_brown_conrady"])
def test_a_lens_is_undone_to_a_thousandth_of_a_pixel(model):
    camera = Camera("c", 640, 480, 600, 600, 320, 240, Distortion(model, COEFFICIENTS))
    rays = ray_table(camera).astype(np.float64)
    pixels = camera.project(np.concatenate([rays, np.ones((480, 640, 1))], axis=-1))
    v, u = np.mgrid[:480, :640]
    assert np.abs(pixels - np.stack([u, v], axis=-1)).max() < 1e-3


def test_the_radial_term_by_hand():
    lens = Distortion("brown_conrady", (0.5, 0.0, 0.0, 0.0))
    np.testing.assert_allclose(lens.distort(np.array([0.2, 0.0])), [0.2 * (1 + 0.5 * 0.04), 0])


def test_tangential_terms_by_hand():
    lens = Distortion("brown_conrady", (0.0, 0.0, 0.1, 0.2))
    # x + 2 p1 x y + p2 (r2 + 2 x x); y + 2 p2 x y + p1 (r2 + 2 y y), x = .1, y = .2, r2 = .05
    expected = [0.1 + 0.2 * 0.02 + 0.2 * 0.07, 0.2 + 0.4 * 0.02 + 0.1 * 0.13]
    np.testing.assert_allclose(lens.distort(np.array([0.1, 0.2])), expected)


def test_rays_beyond_the_turning_radius_are_refused():
    lens = Distortion("brown_conrady", (-1.0, 0.0, 0.0, 0.0))
    # r - r^3 turns at 1 / sqrt(3).
    assert lens.largest_radius == pytest.approx(3**-0.5)
    assert np.isnan(lens.distort(np.array([0.6, 0.0]))).all()


@pytest.mark.parametrize("model", ["brown_conrady", "inverse_brown_conrady"])
def test_projection_agrees_with_the_vendor_library(model):
    rs = pytest.importorskip("pyrealsense2", reason="pyrealsense2 has no wheel here")
    lens = rs.intrinsics()
    lens.width, lens.height, lens.fx, lens.fy, lens.ppx, lens.ppy = 640, 480, 600, 610, 320, 240
    lens.model, lens.coeffs = getattr(rs.distortion, model), list(COEFFICIENTS)
    camera = Camera("c", 640, 480, 600, 610, 320, 240, Distortion(model, COEFFICIENTS))
    for point in ([0.3, 0.2, 1.0], [-0.4, 0.1, 0.9], [0.0, -0.3, 1.2]):
        expected = rs.rs2_project_point_to_pixel(lens, point)
        np.testing.assert_allclose(camera.project(np.array(point)), expected, atol=1e-3)


def test_a_lens_that_turns_is_undone_wherever_it_has_a_ray():
    lens = Distortion("brown_conrady", (0.4, -0.3, 0.0, 0.0, 0.0))
    angles, radii = np.meshgrid(np.linspace(0, 6, 40), np.linspace(0, 0.99, 60))
    ideal = (radii * lens.largest_radius)[..., None] * np.stack(
        [np.cos(angles), np.sin(angles)], axis=-1
    )
    np.testing.assert_allclose(lens.undistort(lens.distort(ideal)), ideal, atol=1e-4)


FISHEYE = Distortion("kannala_brandt", (-0.02, 0.003, -0.001, 0.0002))


def test_a_fisheye_by_hand():
    lens = Distortion("kannala_brandt", (0.1, 0.2, 0.3, 0.4))
    # At 45 degrees theta is pi / 4 and the ray (1, 0).
    t = np.pi / 4
    bent = t + 0.1 * t**3 + 0.2 * t**5 + 0.3 * t**7 + 0.4 * t**9
    np.testing.assert_allclose(lens.distort(np.array([[1.0, 0.0]])), [[bent, 0.0]])
    np.testing.assert_array_equal(lens.distort(np.zeros((1, 2))), [[0.0, 0.0]])


def test_a_fisheye_projects_as_opencv_does():
    cv2 = pytest.importorskip("cv2")
    camera = Camera("c", 640, 480, 300.0, 310.0, 320.0, 240.0, FISHEYE)
    points = np.array([[0.3, 0.2, 1.0], [-2.0, 0.1, 0.9], [0.5, -3.0, 1.2], [0.0, 0.0, 2.0]])
    theirs, _ = cv2.fisheye.projectPoints(
        points[:, None], np.zeros(3), np.zeros(3), camera.matrix, np.array(FISHEYE.coefficients)
    )
    np.testing.assert_allclose(camera.project(points), theirs[:, 0], atol=1e-9)


def test_a_fisheye_is_undone_wherever_it_has_a_ray():
    angles, thetas = np.meshgrid(np.linspace(0, 6, 40), np.linspace(0, 1.5, 60))
    ideal = np.tan(thetas)[..., None] * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    np.testing.assert_allclose(FISHEYE.undistort(FISHEYE.distort(ideal)), ideal, rtol=1e-9)


def test_a_fisheye_ends_where_it_stops_to_rise():
    # theta - theta^3 / 3 rises up to theta = 1.
    lens = Distortion("kannala_brandt", (-1 / 3, 0.0, 0.0, 0.0))
    assert lens.largest_radius == pytest.approx(np.tan(1.0))
    assert np.isnan(lens.distort(np.array([np.tan(1.01), 0.0]))).all()
    assert np.isnan(lens.undistort(np.array([0.67, 0.0]))).all()
    assert np.isfinite(lens.undistort(np.array([0.66, 0.0]))).all()


def test_a_fisheye_without_coefficients_is_still_a_lens():
    assert not Distortion.of("kannala_brandt", (0.0,) * 4).is_none


def test_a_fisheye_may_see_more_than_a_pinhole_can():
    size = {"width": 1000, "height": 1000, "fx": 318.0, "fy": 318.0, "cx": 499.5, "cy": 499.5}
    with pytest.raises(CalibrationError, match="field of view"):
        Camera("c", **(size | {"fx": 40.0}))
    camera = Camera("c", **size, distortion=Distortion("kannala_brandt", (0.0,) * 4))
    # 318 pixels per radian: 90 degrees end 499.5 pixels from the centre.
    np.testing.assert_allclose(
        camera.project(np.array([1.0, 0, 1e-9])), [999.013, 499.5], atol=1e-3
    )


def panorama(**changes):
    values = {"width": 360, "height": 90, "cx": 179.5, "cy": 44.5}
    values |= {"fx": 180 / np.pi, "fy": 180 / np.pi, "distortion": Distortion("spherical")}
    return Camera("panorama", **(values | changes))


def test_a_spherical_camera_counts_degrees():
    points = np.array([[0.0, 0, 5], [3, 0, 0], [-3, 0, 0], [0, 1, 1], [0, -1, 1]])
    expected = [[179.5, 44.5], [269.5, 44.5], [89.5, 44.5], [179.5, 89.5], [179.5, -0.5]]
    np.testing.assert_allclose(panorama().project(points), expected)


def test_straight_behind_a_spherical_camera_lies_in_its_picture():
    pixels = panorama().project(np.array([[0.0, 0, -2], [-0.0, 0, -2], [1e-9, 0, -2]]))
    np.testing.assert_allclose(pixels[:2], [[-0.5, 44.5]] * 2)
    assert -0.5 <= pixels[2, 0] < 359.5


def test_the_centre_of_a_spherical_camera_has_no_pixel():
    assert np.isnan(panorama().project(np.zeros(3))).all()


def test_a_turn_may_begin_anywhere():
    # Straight ahead is pixel 10; 20 degrees to its left is 350 to its right.
    left = np.array([-np.sin(np.deg2rad(20.0)), 0, np.cos(np.deg2rad(20.0))])
    np.testing.assert_allclose(panorama(cx=10.0).project(left), [350, 44.5])


@pytest.mark.parametrize(
    "camera",
    [
        PINHOLE,
        Camera("c", 640, 480, 300.0, 310.0, 320.0, 240.0, FISHEYE),
        Camera("c", 640, 480, 600, 600, 320, 240, Distortion("brown_conrady", COEFFICIENTS)),
        panorama(),
        panorama(cx=10.0),
    ],
)
def test_directions_undo_projection(camera):
    pixels = np.argwhere(np.ones((camera.width, camera.height)))[::7].astype(float)
    directions = camera.directions(pixels)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=-1), 1.0)
    np.testing.assert_allclose(camera.project(7 * directions), pixels, atol=1e-5)


def test_a_spherical_camera_measures_ranges_and_has_no_flat_rays():
    assert panorama().depth_kind == "range"
    assert PINHOLE.depth_kind == "z"
    for refused in (ray_table, lambda camera: nearest_pixels(camera, np.zeros((1, 2)))):
        with pytest.raises(CalibrationError, match="spherical"):
            refused(panorama())


@pytest.mark.parametrize("change", [{"fx": 50.0}, {"fy": 20.0}, {"cy": 300.0}, {"cx": 5000.0}])
def test_spherical_cameras_end_within_a_turn_and_between_the_poles(change):
    with pytest.raises(CalibrationError, match="one turn"):
        panorama(**change)


def test_the_nearest_pixel_of_a_ray_outside_the_picture_is_none():
    rays = np.array([[0.2, 0.0], [0.26, 0.0], [0.0, -0.05]])
    assert nearest_pixels(PINHOLE, rays).tolist() == [9, -1, 2]


def test_coefficients_that_are_all_zero_are_no_lens():
    assert Distortion.of("brown_conrady", (0.0,) * 5).is_none


def test_a_wrong_number_of_coefficients_is_refused():
    with pytest.raises(CalibrationError, match="3 coefficients"):
        Distortion("brown_conrady", (0.1, 0.2, 0.3))


@pytest.mark.parametrize(
    "change",
    [
        {"fx": 0.0},
        {"width": 0},
        {"cy": np.nan},
        {"cx": 5000.0},
        {"fx": 0.9, "fy": 1.2},
        {"fx": 1e-6},
        {"fy": 5.85e11},
    ],
)
def test_impossible_cameras_are_refused(change):
    values = {"width": 640, "height": 480, "fx": 600.0, "fy": 600.0, "cx": 320.0, "cy": 240.0}
    with pytest.raises(CalibrationError):
        Camera("c", **(values | change))
