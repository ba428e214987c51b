"""The synthetic driver: frames by index, the same each time, with their truth."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from sensorfusion.errors import SourceError
from sensorfusion.noise import DepthNoise
from sensorfusion_drivers.synthetic import SyntheticDriver
from sensorfusion_drivers.synthetic import room as synthetic_room

ROOM = "synthetic:room"


@pytest.fixture(scope="module")
def source():
    return SyntheticDriver().open(ROOM, frames=12, noise="d435", seed=4, scale=0.1)


def test_it_opens_what_begins_with_synthetic_and_nothing_else():
    driver = SyntheticDriver()
    assert driver.can_open(ROOM)
    assert not driver.can_open("/tmp/synthetic.bag")


def test_frames_come_in_order_with_depth_and_colour(source):
    frames = list(source)
    assert [frame.index for frame in frames] == list(range(12)) == list(range(len(source)))
    assert [f.timestamp_ns for f in frames] == source.trajectory.timestamps_ns.tolist()
    assert frames[0].measurement.values.shape == (48, 64)
    assert frames[0].images["color"].pixels.shape == (48, 85, 3)
    assert source.losses.unpaired == {"depth": 0, "color": 0}
    assert source.losses.dropped == {}


def test_any_thread_gets_the_same_frame(source):
    alone = [source[index] for index in range(12)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(source.__getitem__, reversed(range(12))))[::-1]
    for first, second in zip(alone, together, strict=True):
        np.testing.assert_array_equal(first.measurement.values, second.measurement.values)
        np.testing.assert_array_equal(first.images["color"].pixels, second.images["color"].pixels)


def test_opening_again_gives_the_same_bytes(source):
    again = SyntheticDriver().open(ROOM, frames=12, noise="d435", seed=4, scale=0.1)
    assert again[5].measurement.values.tobytes() == source[5].measurement.values.tobytes()
    assert again[5].images["color"].pixels.tobytes() == source[5].images["color"].pixels.tobytes()


@pytest.mark.parametrize("noise", ["kinect", "d435"])
def test_the_rig_knows_the_noise_that_is_simulated(noise):
    rig = SyntheticDriver().open(ROOM, frames=1, noise=noise, scale=0.1).rig
    assert rig.noise_of("depth") == DepthNoise.of_device(noise, rig.cameras["depth"].fx)


def test_exact_depth_is_said_to_be_exact_to_a_tenth_of_a_millimetre():
    noise = SyntheticDriver().open(ROOM, frames=1, scale=0.1).rig.noise_of("depth")
    np.testing.assert_allclose(noise.sigma_m(np.array([0.5, 5.0])), 1e-4)


def test_samples_are_both_streams(source):
    streams = [sample.stream for sample in source.samples()]
    assert streams == ["depth", "color"] * 12


def test_an_index_past_the_end_is_refused(source):
    with pytest.raises(IndexError, match="12 frames"):
        source[12]


def test_the_truth_is_the_poses_and_the_surface_that_the_depth_lies_on():
    import open3d as o3d

    options = {"frames": 3, "seed": 1, "scale": 0.25}
    source = SyntheticDriver().open(ROOM, **options)
    truth = SyntheticDriver().truth(ROOM, **options)
    np.testing.assert_array_equal(truth.trajectory.matrices, source.trajectory.matrices)
    tensor = o3d.core.Tensor.from_numpy
    surface = o3d.t.geometry.RaycastingScene()
    triangles = truth.mesh.triangles.astype(np.uint32)
    surface.add_triangles(tensor(truth.mesh.vertices), tensor(triangles))
    camera = source.rig.cameras["depth"]
    v, u = np.mgrid[: camera.height, : camera.width]
    rays = np.stack(
        [(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones(u.shape)], -1
    )
    frame = source[1]
    points = truth.trajectory.poses[1].apply(rays * frame.measurement.values[..., None])
    distances_m = surface.compute_distance(tensor(points.astype(np.float32))).numpy()
    # Triangles cut by the margin of the picture or by a silhouette are kept or left whole.
    assert (distances_m < 1e-4).mean() > 0.98
    assert distances_m.max() < 0.03


def test_true_poses_are_known_without_a_scene(monkeypatch):
    def not_asked_for(*_, **__):
        raise AssertionError

    monkeypatch.setattr(synthetic_room, "room", not_asked_for)
    truth = SyntheticDriver().truth(ROOM, frames=5)
    assert len(truth.trajectory) == 5
    with pytest.raises(AssertionError):
        _ = truth.mesh


def test_the_true_surface_is_made_once():
    truth = SyntheticDriver().truth(ROOM, frames=1)
    assert truth.mesh is truth.mesh


def test_without_asking_there_is_no_imu(source):
    assert source.imu is None
    assert source.rig.imus == ()


def test_an_imu_covers_all_frames_and_sits_in_the_rig():
    source = SyntheticDriver().open(ROOM, frames=40, noise="d435", scale=0.02, imu=True)
    assert source.rig.imus == (source.imu.name,)
    assert source.rig.transform("depth", "imu").source == source.imu.name
    stamps_ns, frames_ns = source.imu.timestamps_ns, source.trajectory.timestamps_ns
    assert stamps_ns[0] <= frames_ns[0]
    assert stamps_ns[-1] >= frames_ns[-1]
    assert (np.diff(stamps_ns) == 5_000_000).all()


@pytest.mark.parametrize("options", [{}, {"speed": 2.0}, {"bursts": True}])
def test_the_gyroscope_turns_as_the_frames_do(options):
    source = SyntheticDriver().open(ROOM, frames=10, scale=0.02, imu=True, **options)
    R_camera_imu = source.rig.transform("depth", "imu").rotation
    gyro = np.stack(
        [
            np.interp(source.trajectory.timestamps_ns, source.imu.timestamps_ns, rates)
            for rates in source.imu.gyro_rad_s.T
        ],
        axis=-1,
    )
    R = source.trajectory.matrices[:, :3, :3]
    # Over two frames a turn is the rate in the middle times 1/15 s, to second order.
    turns = np.swapaxes(R[:-2], 1, 2) @ R[2:]
    vectors = np.stack(
        [turns[:, 2, 1] - turns[:, 1, 2], turns[:, 0, 2] - turns[:, 2, 0],
         turns[:, 1, 0] - turns[:, 0, 1]],
        axis=-1,
    )  # fmt: skip
    rates_rad_s = vectors / 2 * 15.0
    measured = gyro[1:-1] @ R_camera_imu.T
    assert np.linalg.norm(rates_rad_s, axis=1).max() > 0.2
    np.testing.assert_allclose(measured, rates_rad_s, atol=0.05)


def test_bursts_are_another_motion_with_its_own_truth():
    options = {"frames": 30, "scale": 0.02}
    source = SyntheticDriver().open(ROOM, bursts=True, **options)
    truth = SyntheticDriver().truth(ROOM, bursts=True, **options)
    np.testing.assert_array_equal(truth.trajectory.matrices, source.trajectory.matrices)
    usual = SyntheticDriver().truth(ROOM, **options)
    assert np.abs(truth.trajectory.matrices - usual.trajectory.matrices).max() > 0.05


def test_truth_refuses_what_cannot_be_simulated():
    with pytest.raises(SourceError, match="noise 'loud'"):
        SyntheticDriver().truth(ROOM, noise="loud")
    with pytest.raises(SourceError, match="frames is 0"):
        SyntheticDriver().truth(ROOM, frames=0)


def test_down_is_down(source):
    assert source.down_world.tolist() == [0.0, 0.0, -1.0]
    # The floor is at z = 0 and the camera above it.
    assert source.trajectory.matrices[:, 2, 3].min() > 1.0


@pytest.mark.parametrize(
    ("location", "options", "complaint"),
    [
        ("synthetic:garden", {}, "no such scene; expected synthetic:room"),
        (ROOM, {"frames": 0}, "frames is 0"),
        (ROOM, {"seed": -1}, "seed is -1"),
        (ROOM, {"scale": 0.0}, "scale is 0.0"),
        (ROOM, {"speed": float("nan")}, "speed is nan"),
        (ROOM, {"noise": "loud"}, "noise 'loud'; expected one of none, kinect, d435"),
    ],
)
def test_what_cannot_be_simulated_is_refused_in_a_sentence(location, options, complaint):
    with pytest.raises(SourceError, match=complaint):
        SyntheticDriver().open(location, **options)
