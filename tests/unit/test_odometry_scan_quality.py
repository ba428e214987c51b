import numpy as np

from sensorfusion.odometry.scan import ScanMotion, ScanResult
from sensorfusion.odometry.scan_quality import ScanQuality
from sensorfusion.transform import RigidTransform

MOTION = ScanMotion(RigidTransform.identity("world", "lidar"))
ALONG = np.eye(6)[:1]


def test_medians_are_those_of_the_scans_that_were_placed():
    quality = ScanQuality()
    for index, overlap in enumerate((0.8, 0.9, 0.5)):
        quality.add(ScanResult(MOTION, overlap, 0.01, None), index)
    quality.add(ScanResult(MOTION, 0.0, 1.0, None, refused="jump"), 3)
    assert quality.median("overlap") == 0.8
    assert quality.to_dict()["tracking"] == {"overlap": 0.8, "residual_m": 0.01, "sigma_m": 0.0}


def test_what_no_engine_says_is_left_out():
    quality = ScanQuality()
    quality.add(ScanResult(MOTION, None, None, None), 0)
    assert quality.median("overlap") is None
    assert quality.to_dict()["tracking"] == {"sigma_m": 0.0}


def test_spans_in_which_the_lidar_may_slide_are_told_from_first_to_last():
    quality = ScanQuality()
    for stamp_ns, free in ((0, False), (10, True), (20, True), (30, False), (40, True)):
        result = ScanResult(MOTION, free=ALONG if free else np.zeros((0, 6)))
        quality.add(result, stamp_ns)
    assert quality.to_dict()["free_to_slide"] == [[10, 20], [40, 40]]


def test_what_was_overcome_is_counted():
    quality = ScanQuality()
    for stamp_ns in range(3):
        quality.add(ScanResult(MOTION, notes=("overlap fell: found elsewhere",)), stamp_ns)
    assert quality.to_dict()["overcome"] == {"overlap fell: found elsewhere": 3}


def test_a_motion_leads_on_by_its_velocity_in_the_axes_of_the_lidar():
    turned = np.array([[0, -1, 0, 5.0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    motion = ScanMotion(RigidTransform("world", "lidar", turned), np.array([2.0, 0.0, 0.0]))
    # x of the LiDAR is y of the world.
    np.testing.assert_allclose(motion.after(0.5).translation_m, [5.0, 1.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(motion.after(-0.5).translation_m, [5.0, -1.0, 0.0], atol=1e-12)
