"""Fusion of simulated scans with true poses, against the exact surface."""

from dataclasses import replace

import numpy as np
import pytest

from sensorfusion.config import Settings
from sensorfusion.depth.absolute import absolute_depth
from sensorfusion.depth.normals import scan_normals
from sensorfusion.depth.organise import organise
from sensorfusion.evaluate.surface import Surface, sample_surface
from sensorfusion.frame import Frame
from sensorfusion.fusion.carve import forget_passed
from sensorfusion.fusion.extract import extract_mesh
from sensorfusion.fusion.integrate_depth import integrate_depth
from sensorfusion.fusion.integrate_rays import integrate_rays
from sensorfusion.fusion.panorama import RayScan
from sensorfusion.fusion.volume import Volume
from sensorfusion.simulate.cars import car
from sensorfusion.simulate.hall import hall, hall_walk
from sensorfusion.simulate.lidar import PERIOD_NS, LidarSensor, spinning_lidar
from sensorfusion.simulate.moving import Body, MovingEye, MovingScene
from sensorfusion.simulate.scene import Material, SceneBuilder
from sensorfusion.simulate.seen import surface_scanned, surface_seen
from sensorfusion.simulate.shapes import box
from sensorfusion.simulate.street import street, street_drive
from sensorfusion.sources.registry import open_source
from sensorfusion.transform import RigidTransform
from sensorfusion.triangle_mesh import TriangleMesh


def scans_of(scene, lidar, motion, count, step=1):
    """Scans deskewed by the true motion to the middle of each, and T_world_lidar there."""
    sensor = LidarSensor(MovingEye(scene), lidar, motion)
    for number in range(0, count * step, step):
        scan = sensor.scan(number * PERIOD_NS, np.random.default_rng([0, 5, number]))
        middle = scan.T_world_lidar[lidar.columns // 2]
        moved = np.linalg.inv(middle) @ scan.T_world_lidar
        of_point = moved[scan.cloud.column]
        points = np.einsum("nij,nj->ni", of_point[:, :3, :3], scan.cloud.points)
        points = (points + of_point[:, :3, 3]).astype(np.float32)
        image = organise(replace(scan.cloud, points=points, time_offset_ns=None), lidar)
        origins_m = moved[:, :3, 3].astype(np.float32)
        yield (
            RayScan(image, lidar, scan_normals(image), origins_m=origins_m),
            RigidTransform("world", lidar.name, middle),
        )


def scores_of_hall(count, step, samples, edge_m):
    """Accuracy (m), precision, recall and F at 5 cm, voxels of 5 cm."""
    lidar, scene = spinning_lidar(), hall(0)
    volume, poses = Volume(0.05, 0.2, with_passes=True), []
    for rays, T_world_lidar in scans_of(MovingScene(scene), lidar, hall_walk, count, step):
        integrate_rays(volume, rays, T_world_lidar)
        poses.append(T_world_lidar)
    forget_passed(volume)
    mesh = extract_mesh(volume, volume.weight_of(0.025))
    off_m = Surface(scene.mesh).distances_m(sample_surface(mesh, samples, 0))
    seen = surface_scanned(scene.mesh, lidar, poses, edge_m=edge_m)
    missed_m = Surface(mesh).distances_m(sample_surface(seen, samples, 1))
    precision, recall = (off_m <= 0.05).mean(), (missed_m <= 0.05).mean()
    return off_m.mean(), precision, recall, 2 * precision * recall / (precision + recall)


def test_twelve_scans_of_a_hall_make_its_surface():
    accuracy_m, precision, recall, fscore = scores_of_hall(12, 3, 20_000, 0.15)
    assert accuracy_m <= 0.0035
    assert precision >= 0.99
    assert recall >= 0.93
    assert fscore >= 0.96


@pytest.mark.verify
def test_forty_scans_of_a_hall_make_its_surface():
    accuracy_m, precision, recall, fscore = scores_of_hall(40, 1, 200_000, 0.05)
    assert accuracy_m <= 0.0030
    assert precision >= 0.99
    assert recall >= 0.93
    assert fscore >= 0.96


def share_of_bodies(mesh, scene, times_s, samples):
    """Share of a mesh's area that stands where only things that moved have been."""
    points = sample_surface(mesh, samples, 0)
    inside = np.zeros(len(points), bool)
    for body in scene.bodies:
        low = body.scene.mesh.vertices.min(axis=0) - 0.25
        high = body.scene.mesh.vertices.max(axis=0) + 0.25
        for T_world_body in body.motion(times_s):
            placed = (points - T_world_body[:3, 3]) @ T_world_body[:3, :3]
            inside |= ((placed > low) & (placed < high)).all(axis=1)
    inside[inside] = Surface(scene.still.mesh).distances_m(points[inside]) > 0.15
    return inside.mean()


def crossing():
    """A yard of 30 x 30 m with walls, through which a car drives once."""
    builder = SceneBuilder(np.random.default_rng(0))
    paint = Material((0.5, 0.5, 0.5))
    builder.add(box(30.0, 30.0, 0.2), (0, 0, -0.2), paint)
    for x, y, wide, deep in ((0, 15, 30, 0.3), (0, -15, 30, 0.3), (15, 0, 0.3, 30)):
        builder.add(box(wide, deep, 4.0), (x, y, 0), paint)
    builder.add(box(0.2, 0.2, 3.0), (9.0, 2.0, 0), paint)

    def drive(time_s):
        T_world_car = np.tile(np.eye(4), (len(time_s), 1, 1))
        T_world_car[:, :3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
        T_world_car[:, :3, 3] = np.stack([6 + 0 * time_s, 12 * time_s - 8, 0 * time_s], axis=1)
        return T_world_car

    return MovingScene(builder.scene(), (Body(car(1), drive),))


def standing(time_s):
    T_world_lidar = np.tile(np.eye(4), (len(time_s), 1, 1))
    T_world_lidar[:, :3, 3] = np.stack([0.3 * time_s - 5, 0 * time_s, 1.8 + 0 * time_s], axis=1)
    return T_world_lidar


def test_a_car_that_drove_by_is_no_surface_and_a_post_is():
    scene = crossing()
    lidar = spinning_lidar(64, 1024, highest_deg=5.0, lowest_deg=-25.0)
    volume = Volume(0.1, 0.4, with_passes=True)
    for rays, T_world_lidar in scans_of(scene, lidar, standing, 24):
        integrate_rays(volume, rays, T_world_lidar)
    times_s = np.arange(0, 2.4, 0.05)
    with_car = extract_mesh(volume, volume.weight_of(0.05))
    assert share_of_bodies(with_car, scene, times_s, 40_000) > 0.02
    forget_passed(volume)
    mesh = extract_mesh(volume, volume.weight_of(0.05))
    assert share_of_bodies(mesh, scene, times_s, 40_000) <= 0.01
    near_post = np.hypot(*(mesh.vertices[:, :2] - (9.0, 2.0)).T) < 0.2
    post = mesh.vertices[near_post & (mesh.vertices[:, 2] > 0.3)]
    assert np.ptp(post[:, 2]) > 1.5


@pytest.mark.verify
def test_moving_cars_leave_a_hundredth_of_a_street_at_most_and_the_rest_stays():
    scene = street(0)
    lidar = spinning_lidar(highest_deg=2.0, lowest_deg=-24.8)
    volume, path = Volume(0.1, 0.4, with_passes=True), []
    for rays, T_world_lidar in scans_of(scene, lidar, street_drive, 60):
        integrate_rays(volume, rays, T_world_lidar)
        path.append(T_world_lidar)
    still = scene.still.mesh
    middles = still.vertices[still.triangles].mean(axis=1)
    places = np.array([one.translation_m[:2] for one in path[::10]])
    away = np.linalg.norm(middles[:, None, :2] - places, axis=2).min(axis=1)
    near = TriangleMesh(still.vertices, np.ascontiguousarray(still.triangles[away < 27]))
    seen = surface_scanned(near, lidar, path[::8], far_m=25.0, edge_m=0.4)
    points = sample_surface(seen, 20_000, 1)
    before = extract_mesh(volume, volume.weight_of(0.05))
    recall = (Surface(before).distances_m(points) <= 0.2).mean()
    forget_passed(volume)
    mesh = extract_mesh(volume, volume.weight_of(0.05))
    assert share_of_bodies(mesh, scene, np.arange(0, 6.1, 0.2), 200_000) <= 0.01
    assert (Surface(mesh).distances_m(points) <= 0.2).mean() >= recall - 0.001


def scores_of_rig(count, step, samples, near_m):
    """F at 2 cm of the camera, the LiDAR and both in one volume, within some metres."""
    options = {"noise": "d435", "frames": str(count * step)}
    source = open_source("synthetic:hall", options=options)
    rig = source.rig
    lidar, camera = rig.lidars["lidar"], rig.cameras["depth"]
    settings = Settings().for_rig(rig).depth
    volumes = {name: Volume(0.02, 0.08) for name in ("camera", "lidar", "both")}
    scans = scans_of(MovingScene(hall(0)), lidar, hall_walk, count, step)
    in_scans, in_pictures = [], []
    for number, (rays, T_world_lidar) in enumerate(scans):
        frame = source[number * step]
        measured = frame.depths["depth"]
        depth = absolute_depth(
            Frame(frame.index, measured.timestamp_ns, "depth", measured, {}), settings, rig
        )
        matrix = hall_walk(np.array([1e-9 * measured.timestamp_ns]))[0]
        T_world_camera = RigidTransform("world", "lidar", matrix) @ rig.transform("lidar", "depth")
        index = rays.image.index.copy()
        index[rays.image.range_m > near_m] = -1
        close = replace(rays, image=replace(rays.image, index=index))
        for name in ("camera", "both"):
            integrate_depth(volumes[name], depth, T_world_camera)
        for name in ("lidar", "both"):
            integrate_rays(volumes[name], close, T_world_lidar)
        in_scans.append(T_world_lidar)
        in_pictures.append(T_world_camera)
    whole = hall(0).mesh
    scanned = surface_scanned(whole, lidar, in_scans, far_m=near_m, edge_m=0.08)
    pictured = surface_seen(whole, camera, in_pictures, limits_m=(0.2, 3.0), edge_m=0.08)
    truth = TriangleMesh(
        np.concatenate([scanned.vertices, pictured.vertices]),
        np.concatenate([scanned.triangles, pictured.triangles + len(scanned.vertices)]),
    )
    points = sample_surface(truth, samples, 1)
    found = {}
    for name, volume in volumes.items():
        mesh = extract_mesh(volume, min(volume.weight_of(0.02), count - 0.5))
        precision = (Surface(whole).distances_m(sample_surface(mesh, samples, 0)) <= 0.02).mean()
        recall = (Surface(mesh).distances_m(points) <= 0.02).mean()
        found[name] = 2 * precision * recall / (precision + recall)
    return found


def test_a_camera_and_a_lidar_in_one_volume_are_better_than_each():
    found = scores_of_rig(3, 4, 20_000, 5.0)
    assert found["both"] > max(found["camera"], found["lidar"])


@pytest.mark.verify
def test_a_camera_and_a_lidar_in_one_volume_are_better_than_each_over_twenty_frames():
    found = scores_of_rig(20, 2, 100_000, 8.0)
    assert found["both"] > max(found["camera"], found["lidar"])
