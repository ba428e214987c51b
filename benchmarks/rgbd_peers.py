"""Open3D's ways to reconstruct RGB-D frames, driven by the documentation of its Python API.

Both get what helps them: decoding and bringing colour to the depth camera run ahead in threads
and stand outside of their clock, depth comes as uint16, which their kernels read fastest, and both
begin at the true first pose, which lays their voxels along the walls. Odometry takes its hybrid
method where colour is registered to depth; where it is that of another camera, pixels that this
does not see are black, and their edges, which stand still in the picture, spoil it (5.1 mm a frame
on the simulated Kinect, against 0.7 mm by depth alone): there it goes point to plane. Everything
else is the documented default.
"""

import time
from collections import Counter
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.config import Settings
from sensorfusion.depth.align import color_at_depth
from sensorfusion.depth.scale import to_metres
from sensorfusion.depth_map import DepthMap, RawDepth
from sensorfusion.frame import Frame
from sensorfusion.rig import Rig
from sensorfusion.sources.driver import SeekableFrameSource
from sensorfusion.sources.prefetch import map_ahead, prefetch
from sensorfusion.triangle_mesh import TriangleMesh

BLOCK_COUNT = 20_000
TRUNCATION_VOXELS = 8.0
SMALLEST_WEIGHT = 3.0
_FINE_UNIT_M = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A frame as Open3D takes it.

    Attributes
    ----------
    timestamp_ns : int
    depth, color : open3d.t.geometry.Image
        uint16 (H, W, 1) and uint8 (H, W, 3), of one size.
    intrinsic : open3d.core.Tensor
        float64 (3, 3), pixels.
    units_per_m : float
    far_m : float
        Farther depth is ignored; as far as ours uses this sensor by default.
    registered : bool
        Whether colour is that of the depth camera's own pixels.
    """

    timestamp_ns: int
    depth: Any
    color: Any
    intrinsic: Any
    units_per_m: float
    far_m: float
    registered: bool


@dataclass(slots=True)
class Outcome:
    """What an engine made of a sequence.

    Attributes
    ----------
    timestamps_ns : list of int
        Of the frames that were used.
    matrices : list of ndarray
        ``T_world_camera`` of each.
    loop_s : float
        Seconds from the first frame to the last one fused.
    whole_s : float
        Seconds from the first read to the mesh, waiting for frames included.
    dropped : Counter of str
        Frames that were not used, by reason.
    mesh : TriangleMesh or None
    """

    timestamps_ns: list[int] = field(default_factory=list)
    matrices: list[NDArray[np.float64]] = field(default_factory=list)
    loop_s: float = 0.0
    whole_s: float = 0.0
    dropped: Counter[str] = field(default_factory=Counter)
    mesh: TriangleMesh | None = None

    def use(self, picture: Picture, T_world_camera: NDArray[np.float64]) -> None:
        """Note where a frame was."""
        self.timestamps_ns.append(picture.timestamp_ns)
        self.matrices.append(T_world_camera.copy())


def dense_slam(source: SeekableFrameSource, voxel_size_m: float) -> Outcome:
    """Track each frame against the model seen from the last pose, integrate it, look again."""
    import open3d as o3d

    outcome, start = Outcome(), time.perf_counter()
    T_world_camera = _first_pose(source)
    cpu = o3d.core.Device("CPU:0")
    core = o3d.core.Tensor
    model = o3d.t.pipelines.slam.Model(voxel_size_m, 16, BLOCK_COUNT, core(T_world_camera), cpu)
    camera = _depth_camera(source)
    size, intrinsic = (camera.height, camera.width), core(camera.matrix)
    given = o3d.t.pipelines.slam.Frame(*size, intrinsic, cpu)
    seen = o3d.t.pipelines.slam.Frame(*size, intrinsic, cpu)
    with closing(_pictures(source)) as pictures:
        for number, picture in enumerate(pictures):
            clock = time.perf_counter()
            units, far = picture.units_per_m, picture.far_m
            given.set_data_from_image("depth", picture.depth)
            given.set_data_from_image("color", picture.color)
            try:
                if outcome.matrices:
                    found = model.track_frame_to_model(given, seen, units, far)
                    T_world_camera = T_world_camera @ found.transformation.numpy()
            except RuntimeError as error:  # it says so when its equations are singular
                outcome.dropped[_first_line(error)] += 1
                outcome.loop_s += time.perf_counter() - clock
                continue
            model.update_frame_pose(number, core(T_world_camera))
            model.integrate(given, units, far, TRUNCATION_VOXELS)
            model.synthesize_model_frame(seen, units, 0.1, far, TRUNCATION_VOXELS)
            outcome.loop_s += time.perf_counter() - clock
            outcome.use(picture, T_world_camera)
    outcome.mesh = as_mesh(model.extract_trianglemesh(SMALLEST_WEIGHT))
    outcome.whole_s = time.perf_counter() - start
    return outcome


def odometry_and_grid(source: SeekableFrameSource, voxel_size_m: float) -> Outcome:
    """Track each frame against the one before, and integrate it."""
    import open3d as o3d

    outcome, start = Outcome(), time.perf_counter()
    T_world_camera = _first_pose(source)
    odometry = o3d.t.pipelines.odometry
    grid = new_grid(voxel_size_m, 16)
    before = None
    with closing(_pictures(source)) as pictures:
        for picture in pictures:
            clock = time.perf_counter()
            now = o3d.t.geometry.RGBDImage(picture.color, picture.depth)
            try:
                if before is not None:
                    method = odometry.Method
                    found = odometry.rgbd_odometry_multi_scale(
                        now,
                        before,
                        picture.intrinsic,
                        depth_scale=picture.units_per_m,
                        depth_max=picture.far_m,
                        method=method.Hybrid if picture.registered else method.PointToPlane,
                    )
                    T_world_camera = T_world_camera @ found.transformation.numpy()
            except RuntimeError as error:  # it says so when its equations are singular
                outcome.dropped[_first_line(error)] += 1
                outcome.loop_s += time.perf_counter() - clock
                continue
            fuse(grid, picture, o3d.core.Tensor(np.linalg.inv(T_world_camera)), TRUNCATION_VOXELS)
            outcome.loop_s += time.perf_counter() - clock
            outcome.use(picture, T_world_camera)
            before = now
    outcome.mesh = as_mesh(grid.extract_triangle_mesh(weight_threshold=SMALLEST_WEIGHT))
    outcome.whole_s = time.perf_counter() - start
    return outcome


def new_grid(voxel_size_m: float, block_voxels: int, block_count: int = BLOCK_COUNT) -> Any:  # noqa: ANN401
    """Return an empty ``VoxelBlockGrid`` of the types that its uint16 kernels want."""
    import open3d as o3d

    core = o3d.core
    return o3d.t.geometry.VoxelBlockGrid(
        ("tsdf", "weight", "color"),
        (core.float32, core.uint16, core.uint16),
        ((1), (1), (3)),
        voxel_size_m,
        block_voxels,
        block_count,
        core.Device("CPU:0"),
    )


def fuse(grid: Any, picture: Picture, T_camera_world: Any, truncation_voxels: float) -> None:  # noqa: ANN401
    """Touch the blocks near a depth picture and integrate it."""
    lens, units, far = picture.intrinsic, picture.units_per_m, picture.far_m
    blocks = grid.compute_unique_block_coordinates(
        picture.depth, lens, T_camera_world, units, far, truncation_voxels
    )
    grid.integrate(
        blocks,
        picture.depth,
        picture.color,
        lens,
        lens,
        T_camera_world,
        units,
        far,
        truncation_voxels,
    )


def far_m(rig: Rig) -> float:
    """Return how far ours uses the sensor of a rig by default, metres."""
    found = Settings().for_rig(rig).depth.far_m
    if found is None:
        msg = "the settings say no farthest depth, so engines would not get the same"
        raise SystemExit(msg)
    return found


def prepare(frame: Frame, rig: Rig) -> Picture:
    """Return a frame as Open3D takes it; colour is brought to the depth camera."""
    import open3d as o3d

    measurement = frame.measurement
    if isinstance(measurement, RawDepth) and measurement.values.dtype == np.uint16:
        values, unit_m = measurement.values, measurement.unit_m
    else:
        metres = (
            to_metres(measurement).metres
            if isinstance(measurement, RawDepth)
            else measurement.metres
        )
        values, unit_m = np.round(metres.clip(0, 6.5) / _FINE_UNIT_M).astype(np.uint16), 1e-4
    image = o3d.t.geometry.Image
    tensor = o3d.core.Tensor
    colors, registered = _colors(frame, rig)
    return Picture(
        frame.timestamp_ns,
        image(tensor(np.ascontiguousarray(values[..., None]))),
        image(tensor(np.ascontiguousarray(colors))),
        tensor(measurement.camera.matrix),
        1.0 / unit_m,
        far_m(rig),
        registered,
    )


def as_mesh(found: Any) -> TriangleMesh:  # noqa: ANN401
    """Return the vertices and triangles of an Open3D mesh."""
    nothing = TriangleMesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
    if "positions" not in found.vertex or "indices" not in found.triangle:
        return nothing
    vertices = np.asarray(found.vertex["positions"].numpy(), np.float32)
    return TriangleMesh(vertices, np.asarray(found.triangle["indices"].numpy(), np.int32))


def _pictures(source: SeekableFrameSource) -> Generator[Picture, None, None]:
    return map_ahead(lambda frame: prepare(frame, source.rig), prefetch(source))


def _colors(frame: Frame, rig: Rig) -> tuple[NDArray[np.uint8], bool]:
    """Return a colour for every depth pixel, uint8 (H, W, 3), and whether all are real."""
    camera = frame.measurement.camera
    for name, image in frame.images.items():
        color_camera, T_color_depth = rig.cameras[name], rig.transform(name, camera.name)
        same_size = (color_camera.width, color_camera.height) == (camera.width, camera.height)
        if same_size and np.array_equal(T_color_depth.matrix, np.eye(4)):
            pixels = image.pixels
            grey = pixels.ndim == 2
            return np.repeat(pixels[..., None], 3, axis=2) if grey else pixels, True
        found = color_at_depth(_metres(frame), image, color_camera, T_color_depth)
        return found[..., :3], False
    msg = "a frame has no colour; these benchmarks compare engines that use it"
    raise SystemExit(msg)


def _metres(frame: Frame) -> DepthMap:
    measurement = frame.measurement
    return to_metres(measurement) if isinstance(measurement, RawDepth) else measurement


def _first_pose(source: SeekableFrameSource) -> NDArray[np.float64]:
    if source.trajectory is None:
        return np.eye(4)
    return source.trajectory.poses[0].matrix.copy()


def _depth_camera(source: SeekableFrameSource) -> Camera:
    camera = source.rig.cameras["depth"]
    if not camera.distortion.is_none:
        msg = "the depth camera has a distorted lens, which Open3D does not know"
        raise SystemExit(msg)
    return camera


def _first_line(error: RuntimeError) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1][-80:] if lines else "RuntimeError"
