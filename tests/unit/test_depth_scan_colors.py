import numpy as np

from sensorfusion.camera import Camera
from sensorfusion.depth.scan_colors import ScanColors
from sensorfusion.frame import Frame
from sensorfusion.image import Image
from sensorfusion.lidar import Lidar
from sensorfusion.point_cloud import PointCloud
from sensorfusion.rig import Rig
from sensorfusion.transform import RigidTransform

LIDAR = Lidar(name="lidar", elevation_rad=tuple(np.radians([2.0, 0.0, -2.0])), rings=3, columns=360)
# z of the camera is x of the LiDAR, x of the camera is -y, y of the camera is -z.
T_CAMERA_LIDAR = RigidTransform(
    "color", "lidar", np.array([[0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]])
)
CAMERA = Camera("color", 100, 80, 100.0, 100.0, 49.5, 39.5)
AHEAD_AND_BEHIND = np.array([[5, 0, 0], [-5, 0, 0]], np.float32)


def scan(points=AHEAD_AND_BEHIND, **layers):
    return PointCloud(points, "lidar", ring=np.ones(len(points), np.uint16), **layers)


def test_points_have_the_colours_that_the_camera_sees_and_say_which_it_does():
    pixels = np.zeros((80, 100, 3), np.uint8)
    pixels[:] = (10, 20, 30)
    rig = Rig({"color": CAMERA}, (T_CAMERA_LIDAR,), lidars={"lidar": LIDAR})
    cloud = scan()
    frame = Frame(0, 0, "lidar", cloud, {"color": Image(pixels, "color", 0)})
    colors = ScanColors(rig)(frame, cloud, lambda _: cloud)
    np.testing.assert_array_equal(colors, [[10, 20, 30, 255], [0, 0, 0, 0]])


def test_without_cameras_intensity_is_grey_between_what_the_first_scan_returns():
    rig = Rig({}, lidars={"lidar": LIDAR})
    intensity = np.linspace(0, 100, 101).astype(np.float32)
    points = np.repeat(AHEAD_AND_BEHIND[:1], 101, axis=0)
    cloud = scan(points, intensity=intensity)
    colors = ScanColors(rig)(Frame(0, 0, "lidar", cloud), cloud, lambda _: cloud)
    assert (colors[:, 3] == 255).all()
    # 2 % are black (1, as 0 is no colour), 2 % white, 50 in the middle.
    np.testing.assert_array_equal(colors[[0, 2, 50, 98, 100], 0], [1, 1, 127, 255, 255])


def test_a_later_scan_keeps_black_and_white_of_the_first():
    rig = Rig({}, lidars={"lidar": LIDAR})
    of_scan = ScanColors(rig)
    for intensity, grey in (((0, 100), (1, 255)), ((50, 50), (127, 127))):
        cloud = scan(intensity=np.array(intensity, np.float32))
        colors = of_scan(Frame(0, 0, "lidar", cloud), cloud, lambda _, cloud=cloud: cloud)
        np.testing.assert_allclose(colors[:, 0], grey, atol=1)


def test_beside_a_camera_intensity_is_not_taken_for_a_colour():
    rig = Rig({"color": CAMERA}, (T_CAMERA_LIDAR,), lidars={"lidar": LIDAR})
    cloud = scan(intensity=np.ones(2, np.float32))
    assert ScanColors(rig)(Frame(0, 0, "lidar", cloud), cloud, lambda _: cloud) is None
