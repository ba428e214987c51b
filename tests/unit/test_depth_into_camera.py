import numpy as np
import pytest

from sensorfusion.camera import Camera
from sensorfusion.config import DepthSettings
from sensorfusion.depth.into_camera import IntoCamera
from sensorfusion.depth_map import DepthMap, Origin
from sensorfusion.frame import Frame
from sensorfusion.lidar import Lidar
from sensorfusion.point_cloud import PointCloud
from sensorfusion.rig import Rig
from sensorfusion.transform import RigidTransform

CAMERA = Camera("color", 100, 80, 100.0, 100.0, 49.5, 39.5)
# Beams 0.04 rad apart: four pixels of the camera.
ELEVATION_RAD = tuple(0.36 - 0.04 * ring for ring in range(19))
LIDAR = Lidar(name="lidar", rings=19, columns=157, elevation_rad=ELEVATION_RAD)
# x right, y down, z forward of the camera from x forward, y left, z up; both in one place.
T_CAMERA_LIDAR = np.array([[0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]], np.float64)


def rig_of(lidar=LIDAR):
    links = (RigidTransform("color", "lidar", T_CAMERA_LIDAR),)
    return Rig({"color": CAMERA}, links, lidars={"lidar": lidar})


def scan(points):
    cloud = PointCloud(np.asarray(points, np.float32).reshape(-1, 3), "lidar")
    return Frame(0, 0, "lidar", cloud)


def wall(first, z):
    """Return points of a wall, on every fourth pixel from one on, in the LiDAR's axes."""
    v, u = np.mgrid[first : CAMERA.height : 4, first : CAMERA.width : 4]
    in_camera = np.stack([(u - 49.5) / 100, (v - 39.5) / 100, np.ones(u.shape)], -1) * z
    return in_camera.reshape(-1, 3) @ T_CAMERA_LIDAR[:3, :3]


def test_what_is_too_near_to_be_kept_still_hides_what_is_behind_it():
    frame = scan(np.concatenate([wall(2, 2.0), wall(4, 10.0)]))
    found = IntoCamera(rig_of(), DepthSettings(near_m=5.0), "color")(frame).depth
    inside = found.origins()[8:-8, 8:-8]
    assert not found.metres[8:-8, 8:-8].any()
    assert (inside == Origin.TOO_NEAR).sum() > 200
    assert (inside == Origin.OCCLUDED).sum() > 200


@pytest.mark.parametrize("completion", ["none", "smooth", "mesh"])
def test_a_scan_without_points_is_an_empty_map_whatever_is_known_of_the_beams(completion):
    found = IntoCamera(rig_of(Lidar(name="lidar")), DepthSettings(), "color", completion)(scan([]))
    assert not found.depth.metres.any()
    assert (found.depth.origins() == Origin.UNSEEN).all()
    assert found.completion == "none"


@pytest.mark.parametrize("completion", ["none", "smooth"])
def test_small_holes_of_a_depth_camera_are_filled_and_large_ones_stay(completion):
    metres = np.full((80, 100), 2.0, np.float32)
    metres[20, 30] = 0.0
    metres[40:60, 40:60] = 0.0
    frame = Frame(0, 0, "color", DepthMap(metres, CAMERA, 0))
    found = IntoCamera(Rig({"color": CAMERA}), DepthSettings(), "color", completion)(frame).depth
    filled = completion == "smooth"
    assert found.metres[20, 30] == pytest.approx(2.0 if filled else 0.0)
    assert found.origins()[20, 30] == (Origin.FILLED if filled else Origin.NO_RETURN)
    assert not found.metres[44:56, 44:56].any()
    assert (found.origins()[44:56, 44:56] == Origin.NO_RETURN).all()
    assert Origin.UNSEEN not in found.origins()
