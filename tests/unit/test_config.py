"""Settings that follow others: the range by the sensor, voxels to track by voxels to keep."""

import math
from dataclasses import asdict

import pytest

from sensorfusion.camera import Camera
from sensorfusion.config import DepthSettings, FusionSettings, Settings
from sensorfusion.errors import ConfigError
from sensorfusion.lidar import Lidar
from sensorfusion.noise import DepthNoise
from sensorfusion.rig import Rig

CAMERAS = {"depth": Camera("depth", 64, 48, 60.0, 60.0, 31.5, 23.5)}


def rig(noise):
    return Rig(CAMERAS, depth_noise={"depth": noise})


@pytest.mark.parametrize(
    ("noise", "far_m"),
    [
        # 0.0012 + 0.0019 (z - 0.4)^2 = 0.03
        (DepthNoise.structured_light(), 0.4 + math.sqrt(0.0288 / 0.0019)),
        # 0.08 z^2 / (400 * 0.05) = 0.03
        (DepthNoise.stereo(0.05, 400.0, 0.08), math.sqrt(7.5)),
        (DepthNoise.stereo(0.018, 200.0, 0.08), 2.0),
        (DepthNoise(name="exact", constant_m=1e-4), 6.0),
        (DepthNoise.unknown(), 4.0),
    ],
)
def test_the_default_range_ends_at_3_cm_of_noise_between_2_m_and_6_m(noise, far_m):
    assert DepthSettings().range_m(noise) == pytest.approx(far_m)


def test_a_range_that_is_given_holds_for_every_sensor():
    assert DepthSettings(far_m=9.0).range_m(DepthNoise.structured_light()) == 9.0
    settings = Settings(depth=DepthSettings(far_m=9.0))
    assert settings.for_rig(rig(DepthNoise.structured_light())).depth == settings.depth


def test_a_depth_camera_is_fused_in_voxels_of_1_cm_unless_others_are_given():
    assert Settings().for_rig(rig(DepthNoise.unknown())).fusion.voxel_size_m == 0.01
    finer = Settings(fusion=FusionSettings(voxel_size_m=0.005))
    assert finer.for_rig(rig(DepthNoise.unknown())).fusion.voxel_size_m == 0.005


@pytest.mark.parametrize(
    ("median_range_m", "voxel_size_m"), [(1.0, 0.03), (10.0, 0.08), (1000.0, 0.2)]
)
def test_voxels_of_a_lidar_follow_how_far_it_sees(median_range_m, voxel_size_m):
    open_still = Settings().for_rig(Rig({}, lidars={"lidar": Lidar(name="lidar")}))
    assert open_still.fusion.voxel_size_m is None
    assert open_still.depth.far_m is None
    assert open_still.for_scan(median_range_m).fusion.voxel_size_m == voxel_size_m


def test_voxels_that_are_given_hold_for_a_lidar():
    settings = Settings(fusion=FusionSettings(voxel_size_m=0.05))
    assert settings.for_scan(100.0) == settings


def test_settings_as_used_say_the_range():
    used = Settings().for_rig(rig(DepthNoise.stereo(0.05, 400.0, 0.08)))
    assert asdict(used)["depth"]["far_m"] == 2.739


def test_a_rig_of_unknown_noise_reaches_4_m():
    assert Settings().for_rig(Rig(CAMERAS)).depth.far_m == 4.0


def test_a_nearest_depth_beyond_the_default_range_is_refused():
    settings = Settings(depth=DepthSettings(near_m=5.0))
    with pytest.raises(ConfigError, match=r"used up to 4.0 m; give depth.far_m"):
        settings.for_rig(Rig(CAMERAS))


@pytest.mark.parametrize(
    ("kept_m", "tracked_m"), [(0.02, 0.010), (0.01, 0.010), (0.0065, 0.0091), (0.002, 0.008)]
)
def test_voxels_to_track_against_follow_finer_ones_down_to_8_mm(kept_m, tracked_m):
    settings = Settings(fusion=FusionSettings(voxel_size_m=kept_m))
    assert settings.tracking_voxel_size_m == pytest.approx(tracked_m)
