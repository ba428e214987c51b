import numpy as np
import pytest

from sensorfusion.camera import Camera
from sensorfusion.depth import _view_kernels
from sensorfusion.depth.align import align_depth, color_at_depth, rays_by_row, view_of
from sensorfusion.depth_map import DepthMap, Origin
from sensorfusion.distortion import Distortion
from sensorfusion.errors import CalibrationError, CoordinateSystemMismatchError
from sensorfusion.image import Image
from sensorfusion.transform import RigidTransform, rotation_from_vector

DEPTH = Camera("depth", 160, 120, 100.0, 100.0, 79.5, 59.5)
BROWN = Distortion("brown_conrady", (0.12, -0.25, 0.001, -0.002, 0.09))
INVERSE = Distortion("inverse_brown_conrady", (-0.055, 0.067, 0.0007, -0.0004, -0.021))


def transform(rotation_deg=(0, 0, 0), translation_m=(0, 0, 0)):
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_from_vector(np.deg2rad(rotation_deg))
    matrix[:3, 3] = translation_m
    return RigidTransform("color", "depth", matrix)


def color_camera(scale=1.0, distortion=None):
    width, height = int(160 * scale), int(120 * scale)
    center = ((width - 1) / 2, (height - 1) / 2)
    return Camera(
        "color", width, height, 100.0 * scale, 100.0 * scale, *center, distortion or Distortion()
    )


def depth_map(metres, camera=DEPTH):
    return DepthMap(np.ascontiguousarray(metres, np.float32), camera, 11)


def wall(metres=1.0):
    return np.full((120, 160), metres, np.float32)


def z_of_plane(camera, T_camera_depth, normal, offset_m):
    """z at which each pixel's ray meets the plane normal . p = offset_m of depth coordinates."""
    n = T_camera_depth.rotation @ normal
    d = offset_m + n @ T_camera_depth.translation_m
    u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    rays = camera.unproject(np.stack([u, v], axis=-1))
    return d / (rays @ n[:2] + n[2])


def columns(camera):
    """Return a picture whose red is the column and whose green is the row."""
    u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    pixels = np.stack([u, v, np.full_like(u, 200)], axis=-1).astype(np.uint8)
    return Image(pixels, "color", 0)


@pytest.mark.parametrize(
    "distortion",
    [
        Distortion(),
        BROWN,
        INVERSE,
        Distortion("brown_conrady", (0.1, -0.2, 0.003, -0.001)),
        Distortion("brown_conrady", (8.5, 5.2, 1e-4, 2e-5, 0.24, 8.8, 7.4, 1.4)),
        Distortion("brown_conrady", (-0.35, 0.02, 0.0, 0.0)),
        Distortion("kannala_brandt", (-0.03, 0.01, -0.02, 0.004)),
        Distortion("kannala_brandt", (-0.5, 0.0, 0.0, 0.0)),
    ],
)
def test_kernels_project_as_the_camera_does(distortion):
    camera = Camera("color", 160, 120, 110.0, 112.0, 81.0, 58.0, distortion)
    T_color_depth = transform((1, 20, -3), (0.1, -0.02, -0.3))
    row = np.linspace(0.05, 3.0, 160).astype(np.float32)
    row[[3, 77]] = 0
    out = np.empty((3, 160), np.float32)
    _view_kernels.project_row(row, rays_by_row(DEPTH)[40], view_of(camera, T_color_depth), out)

    xy = DEPTH.unproject(np.stack([np.arange(160), np.full(160, 40)], axis=-1))
    points = T_color_depth.apply(np.column_stack([xy, np.ones(160)]) * row[:, None].astype(float))
    expected = camera.project(points)
    expected[row == 0] = np.nan
    assert 0 < np.isnan(expected[:, 0]).sum() < 150
    np.testing.assert_allclose(out[:2].T, expected, rtol=1e-5, atol=2e-3)
    np.testing.assert_allclose(out[2], points[:, 2], atol=1e-6)


def test_a_panorama_is_no_picture_to_align_to():
    camera = Camera("color", 360, 90, 57.3, 57.3, 179.5, 44.5, Distortion("spherical"))
    with pytest.raises(CalibrationError, match="spherical"):
        view_of(camera, transform())


def test_the_lens_model_ends_where_it_stops_being_one_to_one():
    # r (1 - 0.35 r^2) rises up to r = 0.976; with f = 100 the depth picture reaches r = 0.99.
    camera = color_camera(distortion=Distortion("brown_conrady", (-0.35, 0.0, 0.0, 0.0)))
    color = color_at_depth(depth_map(wall()), columns(camera), camera, transform())
    radius = np.hypot(*np.moveaxis(DEPTH.unproject(np.indices((120, 160))[::-1].T), -1, 0)).T
    np.testing.assert_array_equal(color[..., 3] > 0, radius <= np.sqrt(1 / (3 * 0.35)))


def test_z_of_a_plane_is_that_of_the_other_camera_within_a_twentieth_of_a_millimetre():
    T_color_depth = transform((0, 0.36, 0), (0.015, 0, 0))
    camera = color_camera(scale=2)
    aligned = align_depth(depth_map(wall(1.0)), camera, T_color_depth).metres
    # By hand, at the middle column: z = (cos a + t . n) with n = R (0, 0, 1), a = 0.36 degrees.
    angle = np.deg2rad(0.36)
    middle = (1 + 0.015 * np.sin(angle)) / np.cos(angle)
    assert aligned[120, 159:161].mean() == pytest.approx(middle, abs=2e-6)
    truth = z_of_plane(camera, T_color_depth, np.array([0, 0, 1.0]), 1.0)
    error_m = (aligned - truth)[aligned > 0]
    assert (aligned > 0).mean() > 0.97
    assert np.sqrt(np.mean(error_m**2)) < 0.05e-3
    # Depth that keeps the first camera's z is wrong by far more.
    assert np.sqrt(np.mean((truth - 1.0) ** 2)) > 1e-3


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_a_steep_plane_is_exact_at_every_resolution_and_through_both_lenses(scale):
    source = Camera("depth", 160, 120, 130.0, 131.0, 78.0, 61.0, BROWN)
    camera = color_camera(scale, INVERSE)
    T_color_depth = transform((0.5, -1.0, 2.0), (0.02, 0.01, -0.03))
    normal = np.array([0.7, 0.1, 0.7])
    u, v = np.meshgrid(np.arange(160), np.arange(120))
    rays = source.unproject(np.stack([u, v], axis=-1))
    aligned = align_depth(
        depth_map(1.0 / (rays @ normal[:2] + normal[2]), source), camera, T_color_depth
    ).metres
    truth = z_of_plane(camera, T_color_depth, normal, 1.0)
    seen = aligned > 0
    inner = seen & np.roll(seen, 4, 0) & np.roll(seen, -4, 0) & np.roll(seen, 4, 1)
    inner &= np.roll(seen, -4, 1)
    assert inner.mean() > 0.4
    error_m = (aligned - truth)[inner]
    # Between pixels the lens bends the plane's picture a little; that is all that is left.
    assert np.abs(error_m).max() < 1e-4


def test_aligned_depth_has_no_pinholes_and_the_far_wall_never_shows_through():
    metres = wall(3.0)
    metres[30:90, 40:120] = 1.0
    camera = color_camera(scale=5)
    aligned = align_depth(depth_map(metres), camera, transform((0, 0, 0), (-0.03, 0, 0))).metres
    # Depth column u is target column 5 u + 2. The near surface, from 39.5 to 119.5, moves by 3
    # columns: from 184.5 to 584.5 of the target. The wall moves by one.
    np.testing.assert_allclose(aligned[150:450, 185:585], 1.0, atol=1e-6)
    np.testing.assert_allclose(aligned[300, :185], 3.0, atol=1e-5)
    # The strip behind the right edge is hidden from the depth camera.
    np.testing.assert_array_equal(aligned[300, 585:595], 0)
    np.testing.assert_allclose(aligned[300, 595:795], 3.0, atol=1e-5)


def test_the_nearest_of_two_points_on_one_pixel_wins():
    metres = np.zeros((120, 160))
    metres[60, 80], metres[60, 85] = 1.0, 2.0
    # 0.1 m to the side: 10 px at 1 m, 5 px at 2 m; both land on column 90.
    for points in (metres, metres[:, ::1]):
        aligned = align_depth(depth_map(points), color_camera(), transform((0, 0, 0), (0.1, 0, 0)))
        assert aligned.metres[60, 90] == 1.0
        assert (aligned.metres > 0).sum() == 1


def test_a_pole_one_pixel_wide_stays_in_front_of_its_wall():
    metres = wall(3.0)
    metres[:, 80] = 1.0
    aligned = align_depth(depth_map(metres), color_camera(), transform((0, 0, 0), (0.02, 0, 0)))
    np.testing.assert_allclose(aligned.metres[:, 82], 1.0, atol=1e-6)
    assert ((aligned.metres > 0.9) & (aligned.metres < 2.9)).sum() == 120


def test_aligned_depth_belongs_to_the_other_camera_and_keeps_its_time():
    camera = color_camera(scale=2)
    aligned = align_depth(depth_map(wall()), camera, transform())
    assert aligned.camera is camera
    assert aligned.timestamp_ns == 11


def test_depth_aligned_to_an_equal_camera_is_the_same():
    metres = np.random.default_rng(0).uniform(0, 3, (120, 160)).astype(np.float32)
    aligned = align_depth(depth_map(metres), color_camera(), transform())
    np.testing.assert_array_equal(aligned.metres, metres)


def test_an_empty_map_aligns_to_an_empty_map():
    aligned = align_depth(depth_map(wall(0.0)), color_camera(2), transform((0, 1, 0)))
    assert not aligned.metres.any()


def test_points_behind_the_other_camera_are_left_out():
    aligned = align_depth(depth_map(wall()), color_camera(), transform((0, 0, 0), (0, 0, -2)))
    color = color_at_depth(
        depth_map(wall()), columns(color_camera()), color_camera(), transform((0, 0, 0), (0, 0, -2))
    )
    assert not aligned.metres.any()
    assert not color.any()


def test_a_transform_the_wrong_way_round_is_refused():
    with pytest.raises(CoordinateSystemMismatchError, match="expected T_color_depth"):
        align_depth(depth_map(wall()), color_camera(), transform().inverse())
    with pytest.raises(CoordinateSystemMismatchError, match="expected T_color_depth"):
        color_at_depth(
            depth_map(wall()), columns(color_camera()), color_camera(), transform().inverse()
        )


def test_a_picture_of_another_size_than_its_camera_is_refused():
    with pytest.raises(ValueError, match="120 rows and 160 columns"):
        color_at_depth(
            depth_map(wall()), columns(color_camera(2)), color_camera(), transform((0, 1, 0))
        )


def test_equal_cameras_share_their_pixels():
    metres = wall()
    metres[5, 7] = 0
    image = columns(color_camera())
    color = color_at_depth(depth_map(metres), image, color_camera(), transform())
    assert not color[5, 7].any()
    color[5, 7] = (*image.pixels[5, 7], 255)
    np.testing.assert_array_equal(color[..., :3], image.pixels)
    assert (color[..., 3] == 255).all()


def test_a_grey_picture_gives_three_equal_channels():
    image = Image(columns(color_camera()).pixels[..., 0].copy(), "color", 0)
    for motion in (transform(), transform((0, 0, 0), (0.01, 0, 0))):
        color = color_at_depth(depth_map(wall()), image, color_camera(), motion)
        assert (color[:, :, 0] == color[:, :, 1]).all()
        assert (color[:, :, 0] == color[:, :, 2]).all()


def test_color_is_interpolated_between_pixels():
    # Half a pixel to the side: halfway between columns 10 and 20 times the column.
    pixels = np.zeros((120, 160, 3), np.uint8)
    pixels[:, 30], pixels[:, 31] = (10, 100, 0), (20, 201, 255)
    color = color_at_depth(
        depth_map(wall()),
        Image(pixels, "color", 0),
        color_camera(),
        transform((0, 0, 0), (5e-3, 0, 0)),
    )
    np.testing.assert_allclose(color[60, 30].astype(int), [15, 150.5, 127.5, 255], atol=1)


def test_what_lies_outside_the_picture_has_no_color():
    # 0.1 m at 1 m is 10 pixels: the last ten columns leave the picture.
    color = color_at_depth(
        depth_map(wall()),
        columns(color_camera()),
        color_camera(),
        transform((0, 0, 0), (0.1, 0, 0)),
    )
    assert not color[:, 150:].any()
    np.testing.assert_array_equal(color[:, :150, 3], 255)
    np.testing.assert_allclose(color[60, :150, 0].astype(int), np.arange(10, 160), atol=1)


def test_the_wall_does_not_take_the_color_of_what_hides_it():
    metres = wall(2.0)
    metres[:, 80:120] = 1.0
    # 0.1 m to the right of the depth camera: the near surface moves by 10 columns to 70..109 and
    # the wall by 5; so the wall at columns 75 to 79 lands on 70 to 74, behind the near surface.
    color = color_at_depth(
        depth_map(metres),
        columns(color_camera()),
        color_camera(),
        transform((0, 0, 0), (-0.1, 0, 0)),
    )
    np.testing.assert_array_equal(np.flatnonzero(color[60, 10:, 3] == 0) + 10, range(75, 80))
    np.testing.assert_allclose(color[60, 80:120, 0].astype(int), np.arange(70, 110), atol=1)
    np.testing.assert_allclose(color[60, 120:, 0].astype(int), np.arange(115, 155), atol=1)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.3])
def test_a_steep_surface_does_not_hide_itself(scale):
    x = (np.arange(160) - 79.5) / 100
    metres = np.tile(1.0 / (0.5 + np.abs(x) * np.tan(np.deg2rad(70))), (120, 1))
    camera = color_camera(scale)
    color = color_at_depth(
        depth_map(metres), columns(camera), camera, transform((0, 0, 0), (0, 0, 1e-3))
    )
    assert (color[2:-2, 2:-2, 3] == 255).mean() > 0.99


def test_colors_agree_with_a_plain_look_up():
    rng = np.random.default_rng(5)
    u, v = np.meshgrid(np.arange(160), np.arange(120))
    metres = 1.5 + 0.3 * np.sin(u / 17) + 0.2 * np.cos(v / 11)
    metres[20:60, 30:70] = 0.8
    metres[rng.random(metres.shape) < 0.05] = 0
    camera = color_camera(2.0, INVERSE)
    motion = transform((0.3, 1.0, -0.5), (0.03, -0.01, 0.005))
    pixels = rng.integers(0, 256, (camera.height, camera.width, 3), dtype=np.uint8)
    color = color_at_depth(depth_map(metres), Image(pixels, "color", 0), camera, motion)

    rays = DEPTH.unproject(np.stack([u, v], axis=-1))
    points = motion.apply(np.dstack([rays, np.ones_like(u)]) * metres[..., None].astype(np.float32))
    uv = np.where(metres[..., None] > 0, camera.project(points), np.nan)
    inside = (uv >= 0).all(-1) & (uv[..., 0] < camera.width - 1) & (uv[..., 1] < camera.height - 1)
    low = np.where(inside[..., None], np.floor(uv), 0).astype(int)
    su, sv = np.moveaxis(np.where(inside[..., None], uv - low, 0), -1, 0)[..., None]
    picture = pixels.astype(float)
    x, y = low[..., 0], low[..., 1]
    upper = picture[y, x] * (1 - su) + picture[y, x + 1] * su
    lower = picture[y + 1, x] * (1 - su) + picture[y + 1, x + 1] * su
    expected = upper * (1 - sv) + lower * sv
    seen = (color[..., 3] > 0) & inside
    assert seen.sum() > 0.8 * (metres > 0).sum()
    np.testing.assert_allclose(color[seen][:, :3].astype(float), expected[seen], atol=2.5)


def test_pixels_between_measured_points_are_filled_and_not_measured():
    # Each depth pixel makes 3 x 3 of the target; its point falls on the middle one.
    aligned = align_depth(depth_map(wall()), color_camera(3), transform())
    expected = np.full((360, 480), Origin.FILLED, np.uint8)
    expected[1::3, 1::3] = Origin.MEASURED
    np.testing.assert_array_equal(aligned.origin, expected)
    assert aligned.sigma_m is None


def test_what_the_depth_camera_did_not_see_is_no_return():
    metres = wall()
    metres[:, 80:] = 0
    # 0.1 m to the side at 1 m: 10 columns, so that columns 10 to 89 are seen.
    aligned = align_depth(depth_map(metres), color_camera(), transform((0, 0, 0), (0.1, 0, 0)))
    assert (aligned.origin[:, 10:90] == Origin.MEASURED).all()
    assert (aligned.origin[:, :10] == Origin.NO_RETURN).all()
    assert (aligned.origin[:, 90:] == Origin.NO_RETURN).all()
    np.testing.assert_array_equal(aligned.origin == Origin.NO_RETURN, aligned.metres == 0)


def test_a_hidden_point_does_not_make_the_pixel_in_front_of_it_measured():
    metres = np.zeros((120, 160))
    metres[50:60, 40:50], metres[55, 56] = 0.5, 2.1
    camera = color_camera(3)
    aligned = align_depth(depth_map(metres), camera, transform((0, 0, 0), (0.1, 0, 0)))
    # 0.1 m to the side moves the block by 20 columns and the far point by 10 / 2.1: at three
    # times the size the block's points fall on columns 3 (40 + 20) + 1 = 181, 184, ..., and the
    # far point on 3 (56 + 4.76) + 1 = 183.3, behind the block.
    assert aligned.metres[166, 181:185] == pytest.approx(0.5)
    assert aligned.origin[166, 181:185].tolist() == [
        Origin.MEASURED, Origin.FILLED, Origin.FILLED, Origin.MEASURED,
    ]  # fmt: skip


def test_what_was_filled_before_is_not_measured_in_another_camera():
    origin = np.full((120, 160), Origin.FILLED, np.uint8)
    origin[60, 80] = Origin.MEASURED
    depth = DepthMap(wall(), DEPTH, 11, origin=origin)
    aligned = align_depth(depth, color_camera(), transform((0, 0, 0), (0.1, 0, 0)))
    assert np.argwhere(aligned.origin == Origin.MEASURED).tolist() == [[60, 90]]


def test_an_equal_camera_keeps_where_each_pixel_comes_from():
    metres = wall()
    metres[3, 4] = 0
    plain = align_depth(depth_map(metres), color_camera(), transform())
    assert plain.origin[3, 4] == Origin.NO_RETURN
    assert (plain.origin == Origin.MEASURED).sum() == metres.size - 1
    origin = np.full((120, 160), Origin.PREDICTED, np.uint8)
    kept = align_depth(DepthMap(metres, DEPTH, 11, origin=origin), color_camera(), transform())
    np.testing.assert_array_equal(kept.origin, origin)
