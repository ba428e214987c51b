"""The kernels of tracking against plain numpy in float64, and against closed forms."""

import numpy as np
import pytest

from sensorfusion._kernels import EMPTY, insert_all, pack_all
from sensorfusion.odometry import _kernels
from sensorfusion.odometry._distance_kernels import distance_equations
from sensorfusion.odometry._picture_kernels import picture_equations
from sensorfusion.transform import rotation_from_vector

VOXEL_M, TRUNCATION_M, UNIT_M, HUBER = 0.02, 0.08, 0.03, 1.5


def moved(pose, step, *, about_own_centre):
    """The pose after a step in its target's axes, by the definition of the unknowns."""
    turn = rotation_from_vector(np.asarray(step[3:], np.float64))
    out = pose.copy()
    out[:3, :3] = turn @ pose[:3, :3]
    out[:3, 3] = (pose[:3, 3] if about_own_centre else turn @ pose[:3, 3]) + step[:3]
    return out


def a_pose(translation_m, rotation_rad):
    pose = np.eye(4)
    pose[:3, :3] = rotation_from_vector(np.array(rotation_rad))
    pose[:3, 3] = translation_m
    return pose


def sums_of(jacobian, residual, weight):
    """J^T W J (upper triangle, row by row) and J^T W r."""
    square = jacobian.T @ (weight[:, None] * jacobian)
    return np.concatenate([square[np.triu_indices(6)], jacobian.T @ (weight * residual)])


def agree(found, expected):
    """Equal to float32: each entry beside the largest of its kind."""
    for part in (slice(0, 21), slice(21, 27), slice(27, 28), slice(28, 29)):
        scale = np.abs(expected[part]).max()
        np.testing.assert_allclose(found[part], expected[part], rtol=2e-4, atol=2e-5 * scale)
    np.testing.assert_array_equal(found[29:], expected[29:])


def by_differences(residual_of, pose, *, about_own_centre, step=1e-6):
    columns = []
    for axis in range(6):
        change = step * np.eye(6)[axis]
        before = residual_of(moved(pose, -change, about_own_centre=about_own_centre))
        after = residual_of(moved(pose, change, about_own_centre=about_own_centre))
        columns.append((after - before) / (2 * step))
    return np.stack(columns, axis=-1)


# --- points against the signed distance field -------------------------------------------------


class Field:
    """A ball of 0.3 m seen from outside, in blocks of 8 x 8 x 8 voxels; parts never seen."""

    def __init__(self, rng):
        corners = np.stack(np.meshgrid(*[np.arange(-3, 3)] * 3, indexing="ij"), -1).reshape(-1, 3)
        self.blocks = corners[rng.random(len(corners)) < 0.9].astype(np.int32)
        z, y, x = np.mgrid[:8, :8, :8].reshape(3, -1)
        voxels = 8 * self.blocks[:, None, :] + np.stack([x, y, z], axis=-1)
        distance_m = np.linalg.norm(voxels * VOXEL_M, axis=-1) - 0.3
        tsdf = np.clip(distance_m / TRUNCATION_M, -1, 1) * rng.uniform(0.9, 1.0, distance_m.shape)
        tsdf[distance_m < -TRUNCATION_M] = -1
        tsdf[distance_m > TRUNCATION_M] = 1
        unseen = rng.random(tsdf.shape) < 0.005
        self.tsdf = np.where(unseen, 0, tsdf).astype(np.float32)
        self.weight = rng.integers(1, 500, tsdf.shape).astype(np.uint16)
        self.weight[unseen] = 0
        self.place = {tuple(block): row for row, block in enumerate(self.blocks.tolist())}

    def model(self):
        keys, indices = np.full(1024, EMPTY), np.zeros(1024, np.int32)
        rows = np.arange(len(self.blocks), dtype=np.int32)
        insert_all(keys, indices, pack_all(self.blocks), rows)
        return keys, indices, self.tsdf, self.weight

    def at(self, values, voxels):
        """Values of voxels (N, 3), 0 where there is no block."""
        rows = np.array([self.place.get(tuple(v), -1) for v in (voxels >> 3).tolist()])
        within = voxels & 7
        index = within[:, 2] * 64 + within[:, 1] * 8 + within[:, 0]
        return np.where(rows >= 0, values[rows, index].astype(np.float64), 0.0)


def trilinear(field, world_m):
    """Corner values (N, 2, 2, 2; z, y, x), share of the cell, and the first voxel's weight."""
    place = world_m / VOXEL_M
    below = np.floor(place).astype(int)
    corners = np.array([[x, y, z] for z in (0, 1) for y in (0, 1) for x in (0, 1)])
    values = np.stack([field.at(field.tsdf, below + corner) for corner in corners], axis=-1)
    return values.reshape(-1, 2, 2, 2), place - below, field.at(field.weight, below)


def distance_of(field, world_m):
    """Signed distance, metres, as the weighted mean of eight corners."""
    values, share, _ = trilinear(field, world_m)
    x, y, z = (np.stack([1 - s, s], axis=-1) for s in share.T)
    return TRUNCATION_M * np.einsum("nkji,nk,nj,ni->n", values, z, y, x)


def distance_twin(field, points, certainty, pose):
    """What the kernel adds up, and J and residuals of the points that met the surface."""
    world_m = points.T @ pose[:3, :3].T + pose[:3, 3]
    values, share, model_weight = trilinear(field, world_m)
    flat = values.reshape(-1, 8)
    seen = (flat != 0).all(axis=1) & (flat.min(axis=1) >= -np.float32(0.98))
    hit = seen & (flat.max(axis=1) <= np.float32(0.98))
    x, y, z = (np.stack([1 - s, s], axis=-1) for s in share.T)
    slope = np.array([-1.0, 1.0])
    across = TRUNCATION_M / VOXEL_M
    gradient = across * np.stack(
        [
            np.einsum("nkji,nk,nj,i->n", values, z, y, slope),
            np.einsum("nkji,nk,j,ni->n", values, z, slope, x),
            np.einsum("nkji,k,nj,ni->n", values, slope, y, x),
        ],
        axis=-1,
    )
    residual = distance_of(field, world_m)
    jacobian = np.hstack([gradient, np.cross(world_m - pose[:3, 3], gradient)])
    variance = 1 / certainty**2 + UNIT_M**2 / np.maximum(model_weight, 1)
    deviation = np.abs(residual) / np.sqrt(variance)
    robust = np.where(hit, np.minimum(1, HUBER / np.maximum(deviation, 1e-6)), 0)
    sums = sums_of(jacobian, residual, robust / variance)
    misplaced = seen & ~hit
    rest = [(robust * deviation**2).sum(), robust.sum(), hit.sum(), len(hit), misplaced.sum()]
    return np.concatenate([sums, rest]), jacobian[hit], hit


@pytest.fixture(scope="module")
def ball():
    """A field, 1300 points around its surface (three chunks, the last one not full), a pose."""
    rng = np.random.default_rng(5)
    field, pose = Field(rng), a_pose([0.1, -0.2, -1.0], [0.1, -0.2, 0.3])
    directions = rng.standard_normal((4000, 3))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    world_m = directions * rng.normal(0.3, 0.03, (4000, 1))
    # Places whose cell float32 and float64 may see differently are left out.
    sure = (np.abs(world_m / VOXEL_M - np.rint(world_m / VOXEL_M)) > 1e-3).all(axis=1)
    world_m = world_m[sure][:1300]
    points = np.ascontiguousarray(((world_m - pose[:3, 3]) @ pose[:3, :3]).T, np.float32)
    certainty = rng.uniform(50, 500, points.shape[1]).astype(np.float32)
    return field, points, certainty, pose


def test_the_distance_equations_are_those_of_plain_numpy(ball):
    field, points, certainty, pose = ball
    scales = np.array([VOXEL_M, TRUNCATION_M, HUBER, UNIT_M])
    found = distance_equations(points, certainty, pose, field.model(), scales)
    expected, _, hit = distance_twin(
        field, points.astype(np.float64), certainty.astype(np.float64), pose
    )
    # The ball is hit, missed and contradicted: the test looks at each case.
    assert hit.sum() > 500
    assert expected[31] > 20
    assert hit.sum() + expected[31] < 1300
    agree(found, expected)


def test_the_slope_of_distances_is_what_moving_the_camera_changes(ball):
    field, points, certainty, pose = ball
    _, jacobian, hit = distance_twin(field, points.astype(np.float64), certainty, pose)

    def residual_of(where):
        return distance_of(field, points.T[hit] @ where[:3, :3].T + where[:3, 3])

    changed = by_differences(residual_of, pose, about_own_centre=True)
    np.testing.assert_allclose(jacobian, changed, atol=1e-6)


# --- one picture against another --------------------------------------------------------------

LENS = np.array([36.0, 35.0, 20.3, 14.6])
GREY_SIGMA, GREY_SHARE, DEPTH_SHARE = 8.0, 0.7, 1.3
LIGHT = (1.2, 7.0)


def bilinear(picture, u, v):
    """Value and derivatives along u and v at (u, v), and its four corners."""
    iu, iv = np.floor(u).astype(int), np.floor(v).astype(int)
    a, b = u - iu, v - iv
    q = np.stack([picture[iv + j, iu + i].astype(np.float64) for j in (0, 1) for i in (0, 1)], -1)
    shares = np.stack([(1 - a) * (1 - b), a * (1 - b), (1 - a) * b, a * b], axis=-1)
    value = (q * shares).sum(axis=1)
    along_u = (q[:, 1] - q[:, 0]) * (1 - b) + (q[:, 3] - q[:, 2]) * b
    along_v = (q[:, 2] - q[:, 0]) * (1 - a) + (q[:, 3] - q[:, 1]) * a
    return value, along_u, along_v, q


class Pair:
    """The points of a reference picture that fall into the current one, and what they meet."""

    def __init__(self, reference, current, pose):
        depth, _, grey = current
        rows, columns = np.nonzero(reference[0] > 0)
        fx, fy, cx, cy = LENS
        z = reference[0][rows, columns].astype(np.float64)
        points = np.stack([(columns - cx) / fx * z, (rows - cy) / fy * z, z], axis=-1)
        self.xyz = points @ pose[:3, :3].T + pose[:3, 3]
        u, v = self.uv()
        height, width = depth.shape
        inside = (u >= 1) & (v >= 1) & (u < width - 2) & (v < height - 2)
        self.looked_at = len(z)
        self.rows, self.columns, self.points = rows[inside], columns[inside], points[inside]
        self.xyz = self.xyz[inside]
        self.reference, self.depth, self.grey = reference, depth, grey
        self.sigma_m = current[1]

    def uv(self):
        return (
            LENS[0] * self.xyz[:, 0] / self.xyz[:, 2] + LENS[2],
            LENS[1] * self.xyz[:, 1] / self.xyz[:, 2] + LENS[3],
        )

    def slopes(self, along_u, along_v, along_w):
        """Chain rule: by the pixel, by the point, by the six unknowns."""
        x, y, w = self.xyz.T
        gx, gy = along_u * LENS[0] / w, along_v * LENS[1] / w
        gradient = np.stack([gx, gy, -(gx * x + gy * y) / w + along_w], axis=-1)
        return np.hstack([gradient, np.cross(self.xyz, gradient)])


def picture_twin(reference, current, pose):
    """What the kernel adds up; J, residuals and use of depth and of grey, for each point."""
    pair = Pair(reference, current, pose)
    u, v = pair.uv()
    w = pair.xyz[:, 2]
    value, along_u, along_v, corners = bilinear(pair.depth, u, v)
    low, high = corners.min(axis=1), corners.max(axis=1)
    depth_residual = value - w
    surface = (low > 0) & (high - low <= 0.1 * low) & (np.abs(depth_residual) <= 0.15 * w)
    nearest = pair.sigma_m[np.floor(v).astype(int), np.floor(u).astype(int)].astype(np.float64)
    sigma_m = np.maximum(nearest, reference[1][pair.rows, pair.columns])
    # Half: the sigmas of both frames, and the points that a window makes err alike.
    inverse = 0.5 / np.where(sigma_m > 0, sigma_m, 1.0)
    deviation = np.abs(depth_residual) * inverse
    robust = np.where(surface, np.minimum(1, HUBER / np.maximum(deviation, 1e-6)), 0)
    depth_jacobian = pair.slopes(along_u, along_v, -1.0)
    sums = sums_of(depth_jacobian, depth_residual, robust * inverse**2 * DEPTH_SHARE)
    cost, total = (robust * deviation**2).sum(), robust.sum()
    hit = surface & (deviation < 3 * HUBER)
    before = reference[2][pair.rows, pair.columns].astype(np.float64)
    now, along_u, along_v, corners = bilinear(pair.grey, u, v)
    compared = (hit | ~surface) & (before >= 0) & (corners.min(axis=1) >= 0)
    grey_residual = now - LIGHT[0] * before - LIGHT[1]
    by_grey = 1 / (GREY_SIGMA * max(1.0, LIGHT[0]))
    deviation = np.abs(grey_residual) * by_grey
    robust = np.where(compared, np.minimum(1, HUBER / np.maximum(deviation, 1e-6)), 0)
    grey_jacobian = pair.slopes(along_u, along_v, 0.0)
    sums += sums_of(grey_jacobian, grey_residual, robust * by_grey**2 * GREY_SHARE)
    rest = [cost + (robust * deviation**2).sum(), total + robust.sum()]
    all_sums = np.concatenate([sums, rest, [hit.sum(), pair.looked_at, 0]])
    gain = now[compared].std() / before[compared].std()
    light = np.array([gain, now[compared].mean() - gain * before[compared].mean()])
    return all_sums, (depth_jacobian, surface), (grey_jacobian, compared), light


@pytest.fixture(scope="module")
def pictures():
    """Two pictures of a wavy surface with a step, holes and unknown greys, and a pose."""
    rng = np.random.default_rng(8)

    def picture(phase):
        v, u = np.mgrid[:30, :40]
        depth = 1.5 + 0.1 * np.sin(0.2 * u + phase) + 0.05 * np.cos(0.3 * v)
        depth += np.where(u > 30, 0.6, 0.0) + 0.004 * rng.standard_normal(depth.shape)
        depth[rng.random(depth.shape) < 0.03] = 0
        sigma_m = np.where(depth > 0, rng.uniform(0.002, 0.02, depth.shape), 0)
        grey = 110 + 60 * np.sin(0.5 * u + phase) * np.cos(0.4 * v)
        grey[rng.random(depth.shape) < 0.03] = -1
        return tuple(layer.astype(np.float32) for layer in (depth, sigma_m, grey))

    return picture(0.0), picture(0.15), a_pose([0.02, -0.01, 0.03], [0.02, -0.03, 0.04])


def test_the_picture_equations_are_those_of_plain_numpy(pictures):
    reference, current, pose = pictures
    scales = np.array([GREY_SIGMA, GREY_SHARE, DEPTH_SHARE, HUBER])
    light = np.array(LIGHT)
    found = picture_equations(reference, current, LENS, pose, light, scales)
    expected, (_, surface), (_, compared), new_light = picture_twin(reference, current, pose)
    assert surface.sum() > 512 < compared.sum()
    assert expected[29] < surface.sum() < len(surface)
    agree(found, expected)
    np.testing.assert_allclose(light, new_light, rtol=1e-4)


def test_the_slope_of_depth_and_grey_is_what_moving_the_picture_changes(pictures):
    reference, current, pose = pictures
    _, *kinds, _ = picture_twin(reference, current, pose)
    pair = Pair(reference, current, pose)
    u, v = pair.uv()
    # Beside the seams between pixels, where the slope jumps.
    sure = (np.abs(u - np.rint(u)) > 1e-4) & (np.abs(v - np.rint(v)) > 1e-4)
    for layer, depth_share, (jacobian, used) in zip((0, 2), (1.0, 0.0), kinds, strict=True):

        def residual_of(where, layer=layer, depth_share=depth_share):
            pair.xyz = pair.points @ where[:3, :3].T + where[:3, 3]
            return bilinear(current[layer], *pair.uv())[0] - depth_share * pair.xyz[:, 2]

        changed = by_differences(residual_of, pose, about_own_centre=False)
        some = sure & used
        scale = np.abs(jacobian[some]).max()
        np.testing.assert_allclose(jacobian[some], changed[some], atol=1e-6 * scale)


# --- solving and turning ----------------------------------------------------------------------


def test_a_solved_step_takes_the_gradient_away():
    rng = np.random.default_rng(0)
    for _ in range(20):
        root = rng.standard_normal((6, 6)) * 10.0 ** rng.uniform(-3, 3, 6)
        matrix, vector, step = root @ root.T + 1e-9 * np.eye(6), rng.standard_normal(6), np.empty(6)
        # The step is known; the vector is made from it.
        known = rng.standard_normal(6)
        vector = -matrix @ known
        assert _kernels.solve(matrix, vector, step)
        off = matrix @ step + vector
        assert np.abs(off).max() < 1e-9 * np.abs(matrix).max()


def test_a_diagonal_matrix_divides():
    step = np.empty(6)
    diagonal = np.array([1.0, 2.0, 4.0, 5.0, 8.0, 10.0])
    assert _kernels.solve(np.diag(diagonal), np.full(6, -40.0), step)
    np.testing.assert_allclose(step, [40, 20, 10, 8, 5, 4], rtol=1e-14)


@pytest.mark.parametrize("weakest", [0.0, -1.0, np.nan])
def test_what_nothing_holds_is_not_solved(weakest):
    matrix = np.diag([1.0, 1, 1, 1, 1, weakest])
    assert not _kernels.solve(matrix, np.ones(6), np.empty(6))


@pytest.mark.parametrize(
    ("vector", "matrix"),
    [
        ([np.pi / 2, 0, 0], [[1, 0, 0], [0, 0, -1], [0, 1, 0]]),
        ([0, np.pi / 2, 0], [[0, 0, 1], [0, 1, 0], [-1, 0, 0]]),
        ([0, 0, np.pi / 2], [[0, -1, 0], [1, 0, 0], [0, 0, 1]]),
        # A third of a turn about the diagonal takes x to y to z to x.
        (np.full(3, 2 * np.pi / 3 / np.sqrt(3)), [[0, 0, 1], [1, 0, 0], [0, 1, 0]]),
        ([0, 0, 0], np.eye(3)),
    ],
    ids=["quarter about x", "quarter about y", "quarter about z", "third about xyz", "none"],
)
def test_turns_known_by_heart_go_to_matrices_and_back(vector, matrix):
    found = _kernels.rotation(np.array(vector, np.float64))
    np.testing.assert_allclose(found, matrix, atol=1e-15)
    back = _kernels.rotation_vector(np.array(matrix, np.float64))
    np.testing.assert_allclose(back, vector, atol=1e-15)


@pytest.mark.parametrize("angle_rad", [1e-12, 1e-9, 1e-7, 1e-4, 1.0, 3.1, 3.1415])
def test_a_turn_of_any_size_below_half_comes_back(angle_rad):
    axis = np.array([2.0, -3.0, 6.0]) / 7.0
    turned = _kernels.rotation(angle_rad * axis)
    np.testing.assert_allclose(turned @ turned.T, np.eye(3), atol=1e-14)
    # The trace of a turn is 1 + 2 cos.
    np.testing.assert_allclose(np.trace(turned), 1 + 2 * np.cos(angle_rad), atol=1e-14)
    np.testing.assert_allclose(turned @ axis, axis, atol=1e-14)
    np.testing.assert_allclose(_kernels.rotation_vector(turned), angle_rad * axis, atol=1e-11)


@pytest.mark.parametrize("about_own_centre", [True, False])
def test_a_step_turns_about_the_camera_or_about_the_origin(about_own_centre):
    # A camera at x = 1 m turns a quarter about z and goes 0.5 m along z.
    pose = a_pose([1.0, 0.0, 0.0], [0.0, 0.0, 0.0])
    _kernels.move(pose, np.array([0, 0, 0.5, 0, 0, np.pi / 2]), about_own_centre)
    place = [1.0, 0.0, 0.5] if about_own_centre else [0.0, 1.0, 0.5]
    np.testing.assert_allclose(pose[:3, 3], place, atol=1e-15)
    np.testing.assert_allclose(pose[:3, :3], [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-15)
