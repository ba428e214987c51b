"""The path: source, depth, odometry, fusion, mesh, files and report.

This module alone composes the stages. Read :func:`reconstruct` and you have read the program.
"""

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sensorfusion.config import DepthSettings, Settings
from sensorfusion.depth.absolute import absolute_depth, with_metric_scale
from sensorfusion.depth.align import color_at_depth
from sensorfusion.depth.into_camera import CameraDepth, Completion, IntoCamera
from sensorfusion.depth_map import DepthMap
from sensorfusion.errors import SourceError, TrackingError
from sensorfusion.evaluate.consistency import ConsistencyCheck
from sensorfusion.export.reconstruction import Reconstruction
from sensorfusion.export.trajectory import read_trajectory
from sensorfusion.frame import Frame
from sensorfusion.fusion.extract import extract_mesh
from sensorfusion.fusion.integrate_depth import integrate_depth
from sensorfusion.fusion.volume import Volume
from sensorfusion.mesh.clean import decimate, remove_small_pieces
from sensorfusion.mesh.uncertainty import with_errors
from sensorfusion.mesh.upright import find_up
from sensorfusion.odometry.given import known_pose
from sensorfusion.odometry.imu import GyroPrior
from sensorfusion.odometry.rgbd import Observation, RgbdTracker, observe
from sensorfusion.odometry.tracker import TrackingResult
from sensorfusion.report import Report, environment
from sensorfusion.rig import Rig
from sensorfusion.sources.driver import FrameSource, SeekableFrameSource
from sensorfusion.sources.prefetch import map_ahead, prefetch
from sensorfusion.sources.registry import opened_or_given
from sensorfusion.trajectory import Trajectory
from sensorfusion.transform import RigidTransform
from sensorfusion.triangle_mesh import TriangleMesh

GoOn = Callable[[int, int | None], bool]
"""Called after each frame with the frames done and their number, if known; False stops."""


def reconstruct(  # noqa: PLR0913 (all but the first are optional)
    source: FrameSource | Path | str,
    settings: Settings | None = None,
    *,
    driver: str | None = None,
    options: Mapping[str, str] | None = None,
    poses: Trajectory | Path | str | None = None,
    go_on: GoOn | None = None,
    on_open: Callable[[FrameSource], None] | None = None,
) -> Reconstruction:
    """Run the path over every frame of a source.

    Parameters
    ----------
    source : FrameSource, Path or str
        An open source, or a location that a driver recognises.
    settings : Settings, optional
    driver : str, optional
        Name of the driver, where several would do.
    options : mapping of str to str, optional
        Options of the driver.
    poses : Trajectory, Path or "recording", optional
        Take ``T_world_camera`` from here (a TUM file, or the recording itself) and do not track.
    go_on : callable, optional
        Told of each frame; ends the run early, with a whole result, by returning False.
    on_open : callable, optional
        Told of the open source: to close a camera from another thread ends the run early, too.

    Returns
    -------
    Reconstruction

    Raises
    ------
    SensorFusionError
        If the source cannot be read, its depth cannot be metres, or no frame can be placed.
    """
    report = Report(str(source) if isinstance(source, (str, Path)) else type(source).__name__)
    start = time.perf_counter()
    with opened_or_given(source, driver, options) as opened:
        if on_open:
            on_open(opened)
        settings = (settings or Settings()).for_rig(opened.rig)
        given = _given_poses(opened, poses)
        mapper = _Mapper(opened, settings, given)
        total = len(opened) if isinstance(opened, SeekableFrameSource) else None
        with (
            closing(prefetch(opened)) as frames,
            closing(map_ahead(mapper.prepare, with_metric_scale(frames, opened.rig))) as prepared,
        ):
            for frame in report.waiting("read", prepared):
                mapper.add(frame, report)
                if go_on and not go_on(report.frames_in, total):
                    report.facts["interrupted"] = True
                    break
        delivered = report.frames_in
        report.add_losses(opened.losses.unpaired, opened.losses.dropped)
        if opened.notes:
            report.facts["notes"] = list(opened.notes)
        # The recording's gravity holds in its own world, not in that of a foreign pose file.
        own_world = mapper.keeps_world if given is None else given is opened.trajectory
        down_world = opened.down_world if own_world else None
    if not report.used:
        msg = (
            f"{report.source}: none of {report.frames_in} frames could be placed "
            f"({report.reasons or 'the source delivered none'}), so there is no mesh"
        )
        report.facts |= {"settings": settings.to_dict()} | environment()
        raise TrackingError(msg, report.to_json())
    with report.timed("mesh"):
        surface = mapper.surface()
        up = find_up(surface, mapper.trajectory, down_world)
        mesh = remove_small_pieces(surface, settings.mesh.smallest_piece_triangles)
        if settings.mesh.target_triangles:
            mesh = decimate(mesh, settings.mesh.target_triangles)
    report.facts |= {
        "upright_by": up.how,
        **mapper.quality(),
        "frames_per_second": round(delivered / (time.perf_counter() - start), 2),
        "mesh": {"vertices": len(mesh.vertices), "triangles": len(mesh.triangles)},
        "settings": settings.to_dict(),
    } | environment()
    if mapper.keeps_world:
        return Reconstruction(mesh, mapper.trajectory, up.T_up_world, report, settings)
    upright = RigidTransform.identity("up", up.T_up_world.target)
    trajectory = mapper.trajectory.moved(up.T_up_world)
    return Reconstruction(mesh.moved(up.T_up_world), trajectory, upright, report, settings)


def depth_maps(
    source: FrameSource,
    settings: DepthSettings,
    camera: str | None = None,
    completion: Completion = "none",
    poses: Trajectory | Path | str | None = None,
) -> Generator[CameraDepth, None, None]:
    """Return every frame of an open source with its absolute depth, one after the other.

    Parameters
    ----------
    source : FrameSource
    settings : DepthSettings
    camera : str, optional
        Give depth as this camera of the rig sees it; by default as it was measured.
    completion : {"none", "smooth", "mesh", "guided"}
    poses : Trajectory, Path or "recording", optional
        The motion that LiDAR scans are compensated for; by default what the recording holds.

    Raises
    ------
    SensorFusionError
        If the source cannot be read, its depth cannot be metres, or there is no such camera.
    """
    trajectory = source.trajectory if poses is None else _given_poses(source, poses)
    return _measured(source, IntoCamera(source.rig, settings, camera, completion, trajectory))


def _measured(source: FrameSource, into_camera: IntoCamera) -> Generator[CameraDepth, None, None]:
    with (
        closing(prefetch(source)) as frames,
        closing(map_ahead(into_camera, with_metric_scale(frames, source.rig))) as measured,
    ):
        yield from measured


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    """A frame with all that does not depend on other frames."""

    frame: Frame
    depth: DepthMap
    colors: NDArray[np.uint8] | None
    observation: Observation | None


class _Mapper:
    """Places and fuses one frame after the other."""

    def __init__(self, source: FrameSource, settings: Settings, given: Trajectory | None) -> None:
        self._settings, self._rig, self._given = settings, source.rig, given
        self._recorded, self._imu = source.trajectory, source.imu
        self._tracker: RgbdTracker | None = None
        self.keeps_world = given is not None
        self.trajectory = Trajectory()
        self._last_ns = -(2**63)
        self._results: list[TrackingResult] = []
        self._consistency = ConsistencyCheck()
        fusion, voxel_size_m = settings.fusion, settings.tracking_voxel_size_m
        self._volume = Volume(fusion.voxel_size_m, fusion.truncation_m, fusion.device)
        # Tracking needs a volume that it can read, at a voxel size that suits it.
        self._model = self._volume
        if given is None and (fusion.voxel_size_m != voxel_size_m or not self._volume.own_kernels):
            truncation_m = fusion.truncation_voxels * voxel_size_m
            self._model = Volume(voxel_size_m, truncation_m, with_color=False)

    def prepare(self, frame: Frame) -> _Prepared:
        """Do what does not depend on other frames; runs ahead in a thread."""
        depth = absolute_depth(frame, self._settings.depth, self._rig)
        colors = _colors(frame, depth, self._rig)
        observation = observe(depth, colors) if self._given is None else None
        return _Prepared(frame, depth, colors, observation)

    def add(self, prepared: _Prepared, report: Report) -> None:
        """Place and fuse a frame, or say in the report why not."""
        timestamp_ns = prepared.frame.timestamp_ns
        if timestamp_ns <= self._last_ns:
            report.drop("time stamp does not increase", timestamp_ns)
            return
        with report.timed("tracking"):
            T_world_camera, refused = self._place(prepared)
        if T_world_camera is None:
            report.drop(refused, timestamp_ns, lost=self._given is None)
            return
        with report.timed("fusion"):
            integrate_depth(self._volume, prepared.depth, T_world_camera, prepared.colors)
            if self._model is not self._volume:
                integrate_depth(self._model, prepared.depth, T_world_camera)
        self._consistency.add(prepared.depth, T_world_camera)
        self.trajectory.append(timestamp_ns, T_world_camera)
        self._last_ns = timestamp_ns
        report.use()

    def surface(self) -> TriangleMesh:
        """Return the surface of everything fused, and give up the volume: this is the end."""
        # What is not certain to one voxel is left out; of few frames, nothing is.
        voxel_size_m = self._volume.voxel_size_m
        certain = self._volume.weight_of(voxel_size_m)
        surface = extract_mesh(self._volume, min(certain, len(self.trajectory) - 0.5))
        del self._volume, self._model
        sensor = self.trajectory.poses[0].source
        noise, camera = self._rig.noise_of(sensor), self._rig.cameras[sensor]
        tracking_m = self._medians().get("sigma_m", 0.0)
        return with_errors(surface, noise, camera, voxel_size_m, tracking_m)

    def quality(self) -> dict[str, object]:
        """Return how well frames were placed, and how depth agrees over time, for the report."""
        agreement = asdict(self._consistency.result()) if self._consistency.pairs else None
        return {"tracking": self._medians(), "consistency": agreement}

    def _medians(self) -> dict[str, float]:
        placed = [result for result in self._results if not result.refused]
        names = ("overlap", "residual_m", "conditioning", "sigma_m") if placed else ()
        return {name: float(np.median([getattr(one, name) for one in placed])) for name in names}

    def _place(self, prepared: _Prepared) -> tuple[RigidTransform | None, str]:
        """Return where a frame was, or why that is not known."""
        frame, observation = prepared.frame, prepared.observation
        if not prepared.depth.metres.any():
            return None, "no depth"
        if observation is None:
            return known_pose(self._given, frame), "no pose"
        if self._tracker is None or not len(self.trajectory):
            # Until a frame is placed, each may be the first.
            self._tracker = RgbdTracker(
                self._settings.tracking,
                self._first_pose(frame),
                self._rig.noise_of(frame.sensor),
                self._gyro(frame.sensor),
            )
        result = self._tracker.track(observation, self._model.views)
        self._results.append(result)
        return (None if result.refused else result.T_world_camera), result.refused

    def _gyro(self, camera: str) -> GyroPrior | None:
        """Return what the recording's gyroscope says about a camera's turns, if it has one."""
        if self._imu is None:
            return None
        return GyroPrior(self._imu, self._rig.transform(camera, self._imu.name).rotation)

    def _first_pose(self, frame: Frame) -> RigidTransform:
        """Return where the recording says it began, or make the first camera the world."""
        pose = known_pose(self._recorded, frame)
        self.keeps_world = pose is not None
        return pose or RigidTransform.identity("world", frame.sensor)


def _given_poses(source: FrameSource, poses: Trajectory | Path | str | None) -> Trajectory | None:
    if poses is None or isinstance(poses, Trajectory):
        return poses
    if str(poses) != "recording":
        return read_trajectory(Path(poses))
    if source.trajectory is None:
        msg = "the recording holds no poses; leave out --poses to track it, or name a TUM file"
        raise SourceError(msg)
    return source.trajectory


def _colors(frame: Frame, depth: DepthMap, rig: Rig) -> NDArray[np.uint8] | None:
    """Return the colour of each depth pixel from the first picture of the frame, if any."""
    for name, image in frame.images.items():
        T_color_depth = rig.transform(name, depth.camera.name)
        return color_at_depth(depth, image, rig.cameras[name], T_color_depth)
    return None
