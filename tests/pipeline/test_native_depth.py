"""Depth as it was measured, beside depth aligned to the colour camera, as input of fusion."""

import numpy as np
import pytest

from sensorfusion.config import DepthSettings
from sensorfusion.depth.absolute import absolute_depth
from sensorfusion.depth.align import align_depth
from sensorfusion.depth_map import DepthMap, Origin
from sensorfusion.fusion.extract import extract_mesh
from sensorfusion.fusion.integrate_depth import integrate_depth
from sensorfusion.fusion.volume import Volume
from sensorfusion.simulate.sensor import d435_rig
from sensorfusion.sources.registry import open_source
from sensorfusion.transform import RigidTransform

RIG = d435_rig()
WALL_M = 1.5


def aligned(depth, rig=RIG):
    return align_depth(depth, rig.cameras["color"], rig.transform("color", "depth"))


def fused_m2(depth):
    volume = Volume(0.01, 0.04)
    integrate_depth(volume, depth, RigidTransform.identity("world", depth.camera.name))
    mesh = extract_mesh(volume, 1.0)
    a, b, c = np.moveaxis(mesh.vertices[mesh.triangles].astype(np.float64), 1, 0)
    return np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2


def test_a_d435_frame_fuses_to_1_8_times_the_wall_that_it_does_after_alignment():
    camera = RIG.cameras["depth"]
    wall = DepthMap(np.full((480, 640), WALL_M, np.float32), camera, 0)
    native_m2, aligned_m2 = fused_m2(wall), fused_m2(aligned(wall))
    # A pinhole sees z^2 w h / (fx fy) of a wall: 4.646 m2, of which a voxel's rim is lost.
    assert native_m2 == pytest.approx(1.5**2 * 640 * 480 / 385.7**2, rel=0.03)
    # The colour camera's field without its lens, which narrows it by 1.4 % each way, is 2.444 m2.
    assert aligned_m2 == pytest.approx(1.5**2 * 848 * 480 / (612.4 * 611.9), rel=0.06)
    assert native_m2 >= 1.8 * aligned_m2


def test_a_noisy_d435_frame_of_a_room_has_1_8_times_the_measured_points_natively():
    with open_source("synthetic:room", options={"noise": "d435", "frames": "1"}) as source:
        rig, frame = source.rig, next(iter(source))
    native = absolute_depth(frame, DepthSettings(), rig)
    kept = aligned(native, rig).origins() == Origin.MEASURED
    assert native.valid.sum() >= 1.8 * kept.sum()
    # Every point within the colour camera's field is kept: 1 / 1.90 of them for a wall.
    assert kept.sum() >= 0.47 * native.valid.sum()
