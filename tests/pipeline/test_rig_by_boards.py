"""Transforms between sensors refined by boards in their pictures, through the command line."""

import json
import math

import numpy as np
import pytest

from board_scan import WALL_M, T_camera_lidar, scan
from board_scene import many_places, picture, placed, small_camera, turned
from sensorfusion.calibration.board import Chessboard
from sensorfusion.calibration.edge_alignment import change_between, changed_transform
from sensorfusion.calibration.rig_file import read_rig, write_rig
from sensorfusion.camera import Camera
from sensorfusion.cli import app as cli
from sensorfusion.cli.location import SourceOptions
from sensorfusion.depth_map import RawDepth
from sensorfusion.frame import Frame
from sensorfusion.image import Image
from sensorfusion.lidar import Lidar
from sensorfusion.noise import DepthNoise
from sensorfusion.point_cloud import PointCloud
from sensorfusion.rig import Rig
from sensorfusion.sources.driver import Losses, SeekableFrameSource
from sensorfusion.transform import RigidTransform

BOARD, NAMED, CAMERA = Chessboard(7, 5, 0.1), "7x5:0.1", small_camera()
RANGE_SIGMA_M, GREY_SIGMA = 0.01, 2.0
RINGS, COLUMNS = 32, 360
DEPTH = Camera("depth", 240, 180, 200.0, 200.0, 119.5, 89.5)


class _Recording(SeekableFrameSource):
    """Frames that were made before, each one second after the other."""

    def __init__(self, rig, frames):
        self.rig, self._frames = rig, frames
        self.losses, self.trajectory, self.imu, self.notes = Losses(), None, None, ()

    def __len__(self):
        return len(self._frames)

    def __getitem__(self, index):
        return self._frames[index]

    def samples(self):
        return iter(())


def photographed(place, rng, stamp_ns):
    pixels = picture(BOARD, CAMERA, place) + rng.normal(0, GREY_SIGMA, (360, 480))
    return Image(pixels.clip(0, 255).round().astype(np.uint8), "camera", stamp_ns)


def by_lidar(places, seed):
    """Return a recording of a LiDAR with 32 rings beside a camera."""
    rng, T = np.random.default_rng(seed), T_camera_lidar(turned(1, 2, -1.5))
    rig = Rig(
        {"camera": CAMERA}, (T,), lidars={"lidar": Lidar(name="lidar", constant_m=RANGE_SIGMA_M)}
    )
    ring = np.repeat(np.arange(RINGS, dtype=np.uint16)[::-1], COLUMNS)
    column = np.tile(np.arange(COLUMNS, dtype=np.int32)[::-1], RINGS)
    frames = []
    for index, place in enumerate(places):
        stamp_ns = index * 1_000_000_000
        points = scan(BOARD, place, T, RANGE_SIGMA_M, rng).astype(np.float32)
        cloud = PointCloud(points, "lidar", stamp_ns, ring=ring, column=column)
        images = {"camera": photographed(place, rng, stamp_ns)}
        frames.append(Frame(index, stamp_ns, "lidar", cloud, images))
    return _Recording(rig, frames)


def by_depth_camera(places, seed):
    """Return a recording of a depth camera, 5 cm beside a camera, whose z errs by 0.3 percent."""
    rng = np.random.default_rng(seed)
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = turned(0.5, -1.0, 0.8), (0.05, 0.003, -0.004)
    T = RigidTransform("camera", "depth", matrix)
    noise = DepthNoise(name="of a test", linear=0.003, correlation_px=0.0)
    rig = Rig({"camera": CAMERA, "depth": DEPTH}, (T,), {"depth": noise})
    u, v = np.meshgrid(np.arange(DEPTH.width), np.arange(DEPTH.height))
    rays = DEPTH.directions(np.stack([u, v], axis=-1)).reshape(-1, 3)
    frames = []
    for index, place in enumerate(places):
        stamp_ns = index * 1_000_000_000
        z = scan(BOARD, place, T, rays=rays)[:, 2].reshape(DEPTH.height, DEPTH.width)
        metres = (z * rng.normal(1, 0.003, z.shape)).astype(np.float32)
        raw = RawDepth(metres, 1.0, DEPTH, stamp_ns)
        images = {"camera": photographed(place, rng, stamp_ns)}
        frames.append(Frame(index, stamp_ns, "depth", raw, images))
    return _Recording(rig, frames)


def wrong(rig, sensor, seed, way_m):
    """Return a rig that is off by 1 degree and some centimetres."""
    rng, change = np.random.default_rng(seed), np.zeros(7)
    for part, size in ((slice(0, 3), math.radians(1)), (slice(3, 6), way_m)):
        way = rng.standard_normal(3)
        change[part] = size * way / np.linalg.norm(way)
    moved = changed_transform(rig.transform("camera", sensor), change)
    return Rig(rig.cameras, (moved,), rig.depth_noise, lidars=rig.lidars)


@pytest.fixture
def refined(monkeypatch, tmp_path, capsys):
    """Return a function that runs ``calibrate rig`` on a recording, from a wrong rig."""

    def run(recording, start, *arguments):
        monkeypatch.setattr(SourceOptions, "open", lambda *_: recording)
        write_rig(start, tmp_path / "wrong.toml")
        out = tmp_path / "rig.toml"
        given = ["calibrate", "rig", "boards", "--rig", str(tmp_path / "wrong.toml")]
        code = cli.run([*given, "--out", str(out), *arguments])
        said, error = capsys.readouterr()
        return code, said, error, out

    return run


def errors(out, true, sensor):
    found = read_rig(out).transform("camera", sensor)
    return change_between(true.transform("camera", sensor), found)


@pytest.mark.parametrize(("record", "sensor"), [(by_lidar, "lidar"), (by_depth_camera, "depth")])
def test_a_rig_off_by_a_degree_and_5_cm_is_put_right_by_boards(refined, record, sensor):
    recording = record(many_places(BOARD, 16, 0, (1.5, 2.6), 35), 0)
    start = wrong(recording.rig, sensor, 0, 0.05)
    code, said, error, out = refined(recording, start, "--chessboard", NAMED, "--json")
    assert (code, error) == (0, "")
    off, found = errors(out, recording.rig, sensor), json.loads(said)
    assert np.degrees(np.linalg.norm(off[:3])) < 0.1
    assert np.linalg.norm(off[3:]) < 0.01
    change = found["change"]
    sigma = [*np.radians(change["turn_sigma_deg"]), *change["way_sigma_m"]]
    assert (np.abs(off) < 3 * np.array(sigma)).all()
    assert found["untold"] == []
    assert found["boards"]["frames"] == 16
    assert found["boards"]["off_m"] < 0.003 < found["boards"]["off_before_m"]
    assert "points on boards in 16 pictures" in out.read_text()


def test_parallel_boards_of_a_bare_scene_say_what_they_cannot_tell(refined):
    middles = ((0.0, 0.0, 2.0), (0.3, 0.1, 2.3), (-0.3, 0.1, 1.8))
    recording = by_lidar([placed(BOARD, np.eye(3), middle) for middle in middles], 1)
    # Only what lies on the boards is seen: without their rims there is no edge of depth.
    frames = []
    for frame in recording:
        cloud = frame.measurement
        near = np.flatnonzero(np.linalg.norm(cloud.points, axis=1) < WALL_M - 1)
        images = {"camera": frame.images["camera"]}
        frames.append(Frame(frame.index, frame.timestamp_ns, "lidar", cloud.subset(near), images))
    start = wrong(recording.rig, "lidar", 1, 0.02)
    code, said, _, out = refined(_Recording(recording.rig, frames), start, "--chessboard", NAMED)
    assert code == 0
    told = next(line for line in said.splitlines() if "does not tell" in line)
    assert "turn about z, x, y" in told
    assert told in out.read_text()


def test_a_recording_that_shows_no_board_is_refused(refined):
    recording = by_lidar(many_places(BOARD, 2, 0, (1.5, 2.6), 35), 0)
    code, _, error, out = refined(recording, recording.rig, "--chessboard", "9x6:0.1")
    assert code == 1
    assert "no picture of 'camera' shows the chessboard 9x6:0.1" in error
    assert error.count("\n") == 1
    assert not out.exists()


def test_a_board_of_another_size_contradicts_the_edges_and_these_are_not_used(refined):
    recording = by_lidar(many_places(BOARD, 12, 3, (1.5, 2.6), 35), 3)
    code, said, _, out = refined(recording, recording.rig, "--chessboard", "7x5:0.11")
    assert code == 0
    told = next(line for line in said.splitlines() if line.startswith("edges are not used"))
    assert "is the board's size right?" in told
    assert told in out.read_text()


def test_both_boards_at_once_are_wrong_usage(refined):
    recording = by_lidar([], 0)
    board = ["--chessboard", NAMED, "--charuco", "7x5:0.075:0.05625:DICT_4X4_50"]
    code, _, error, _ = refined(recording, recording.rig, *board)
    assert code == 2
    assert "which board is it?" in error
