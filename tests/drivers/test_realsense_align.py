"""Depth in the colour camera, beside librealsense's own alignment of the same picture."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sensorfusion.camera import Camera
from sensorfusion.depth.align import align_depth
from sensorfusion.depth_map import DepthMap
from sensorfusion.transform import RigidTransform

WIDTH, HEIGHT = 640, 480
TURN_RAD = np.deg2rad(0.36)
# Depth to colour: about the vertical axis, as a D435's two modules may sit.
TURN = np.array(
    [
        [np.cos(TURN_RAD), 0, np.sin(TURN_RAD)],
        [0, 1, 0],
        [-np.sin(TURN_RAD), 0, np.cos(TURN_RAD)],
    ]
)
MOVE_M = np.array([0.015, 0, 0])

ALIGN = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import numpy as np
import pyrealsense2 as rs
from software_camera import SoftwareCamera, UNIT_M
context = rs.context()
turn = np.array({TURN.tolist()!r})
camera = SoftwareCamera(context, size=({WIDTH}, {HEIGHT}), turn=turn)
syncer = rs.syncer()
for sensor in camera.sensors.values():
    sensor.open(sensor.get_stream_profiles()[0])
    sensor.start(syncer)
align = rs.align(rs.stream.color)
for number in range(5):
    camera.push("depth", number)
    camera.push("color", number)
    both = syncer.wait_for_frames(5000)
    if both.size() == 2:
        aligned = align.process(both).get_depth_frame()
        np.save(sys.argv[1], np.asarray(aligned.get_data()) * UNIT_M)
        break
for sensor in camera.sensors.values():
    sensor.stop()
    sensor.close()
"""


def z_of_wall():
    """z of a wall 1 m before the depth camera, at every pixel of the colour camera."""
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    rays = np.stack([(u - WIDTH / 2) / WIDTH, (v - HEIGHT / 2) / WIDTH, np.ones(u.shape)], axis=-1)
    # The third coordinate of the depth camera is 1: row 3 of the inverse times (ray * z - move).
    backward = TURN.T[2]
    return (1 + backward @ MOVE_M) / (rays @ backward)


def rms_mm(found_m):
    seen = found_m > 0
    assert seen.mean() > 0.9
    return 1e3 * float(np.sqrt(np.mean((found_m - z_of_wall())[seen] ** 2)))


def test_depth_in_the_colour_camera_is_its_own_z_and_not_the_depth_cameras(tmp_path):
    pytest.importorskip("pyrealsense2", reason="librealsense is what is compared with")
    path = tmp_path / "aligned.npy"
    subprocess.run([sys.executable, "-c", ALIGN, str(path)], timeout=60, check=True)
    depth, color = (
        Camera(name, WIDTH, HEIGHT, WIDTH, WIDTH, WIDTH / 2, HEIGHT / 2)
        for name in ("depth", "color")
    )
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = TURN, MOVE_M
    # 2000 units of 0.5 mm, as the software camera makes them.
    wall = DepthMap(np.full((HEIGHT, WIDTH), 1.0, np.float32), depth, 0)
    ours = align_depth(wall, color, RigidTransform("color", "depth", matrix)).metres
    theirs = np.load(path)
    assert rms_mm(ours) < 0.05
    # It copies the z of the depth camera: off by x sin(0.36 degrees), up to 3 mm at the rim.
    assert rms_mm(theirs) > 1.5
