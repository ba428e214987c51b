"""Mapping: where each frame was, and what it adds to the volume."""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sensorfusion.config import Settings
from sensorfusion.depth.absolute import absolute_depth
from sensorfusion.depth.align import color_of_first
from sensorfusion.depth.predicted import (
    depth_of_picture,
    fill_holes,
    hold,
    is_picture,
    relative_depth,
)
from sensorfusion.depth_map import DepthMap, Origin
from sensorfusion.errors import AnchorError
from sensorfusion.evaluate.consistency import ConsistencyCheck
from sensorfusion.frame import Frame
from sensorfusion.fusion.extract import extract_mesh
from sensorfusion.fusion.integrate_depth import integrate_depth
from sensorfusion.fusion.render import render_depth
from sensorfusion.fusion.volume import Volume
from sensorfusion.image import Image
from sensorfusion.mesh.uncertainty import with_errors
from sensorfusion.odometry.given import known_pose
from sensorfusion.odometry.imu import GyroPrior
from sensorfusion.odometry.rgbd import Observation, RgbdTracker, observe
from sensorfusion.odometry.tracker import TrackingResult
from sensorfusion.perception.voxels import SeenVoxels, seen_voxels
from sensorfusion.relative_depth import RelativeDepth
from sensorfusion.report import Report
from sensorfusion.rig import Rig
from sensorfusion.sources.driver import FrameSource
from sensorfusion.trajectory import Trajectory
from sensorfusion.transform import RigidTransform
from sensorfusion.triangle_mesh import TriangleMesh

# Of how many rows and columns one is asked of the volume: it anchors a picture, no more.
_ANCHOR_EVERY = 4


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A frame with all that does not depend on other frames.

    Attributes
    ----------
    frame : Frame
    depth : DepthMap or None
        To be fused; None where nothing in the frame says how long a metre is.
    measured : DepthMap or None
        The same without what was only predicted, where anything was measured.
    colors : ndarray of uint8, shape (H, W, 4), or None
    observation : Observation or None
    relative : RelativeDepth and Image, or None
        What waits for an anchor.
    refused : str
        Why what a model said is not used, or waits.
    trusted : bool
        Whether depth is a model's own metres, which nothing measured holds.
    """

    frame: Frame
    depth: DepthMap | None
    measured: DepthMap | None
    colors: NDArray[np.uint8] | None
    observation: Observation | None
    relative: tuple[RelativeDepth, Image | None] | None = None
    refused: str = ""
    trusted: bool = False


class Mapper:
    """Places and fuses one frame after the other."""

    def __init__(self, source: FrameSource, settings: Settings, given: Trajectory | None) -> None:
        self.settings, self._rig, self._given = settings, source.rig, given
        self._recorded, self._imu = source.trajectory, source.imu
        self._tracker: RgbdTracker | None = None
        self.keeps_world = given is not None
        self.trajectory = Trajectory()
        self._last_ns = -(2**63)
        self._results: list[TrackingResult] = []
        self._consistency, self._predictions = ConsistencyCheck(), _Predictions()
        fusion, voxel_size_m = settings.fusion, settings.tracking_voxel_size_m
        self._volume = Volume(fusion.edge_m, fusion.truncation_m, fusion.device)
        # Tracking needs a volume that it can read, at a voxel size that suits it, and without what
        # was only predicted.
        self._model = self._volume
        suits = self._volume.own_kernels and settings.depth.model.file is None
        if given is None and (fusion.edge_m != voxel_size_m or not suits):
            truncation_m = fusion.truncation_voxels * voxel_size_m
            self._model = Volume(voxel_size_m, truncation_m, with_color=False)

    def work_on(self, frame: Frame) -> Callable[[Report], None]:
        """Prepare a frame, in a thread; return what places and fuses it, to be called in order."""
        return partial(self.add, self.prepare(frame))

    def prepare(self, frame: Frame) -> Prepared:
        """Do what does not depend on other frames; runs ahead in a thread."""
        if is_picture(frame):
            return self._picture(frame)
        settings, refused = self.settings.depth, ""
        depth = measured = absolute_depth(frame, settings, self._rig)
        if settings.model.file is not None:
            try:
                depth = fill_holes(measured, frame, settings, self._rig).depth
            except AnchorError as error:
                refused = error.reason
        return self._observed(Prepared(frame, depth, measured, None, None, refused=refused))

    def add(self, prepared: Prepared, report: Report) -> None:
        """Place and fuse a frame, or say in the report why not."""
        timestamp_ns = prepared.frame.timestamp_ns
        if timestamp_ns <= self._last_ns:
            report.drop("time stamp does not increase", timestamp_ns)
            return
        with report.timed("tracking"):
            prepared = self._anchored(prepared)
            T_world_camera, refused = self._place(prepared)
        depth, measured = prepared.depth, prepared.measured
        if T_world_camera is None or depth is None or measured is None:
            report.drop(refused, timestamp_ns, lost=self._given is None)
            return
        with report.timed("fusion"):
            integrate_depth(self._volume, depth, T_world_camera, prepared.colors)
            if self._model is not self._volume:
                integrate_depth(self._model, measured, T_world_camera)
        self._consistency.add(depth, T_world_camera)
        self._predictions.add(prepared)
        self.trajectory.append(timestamp_ns, T_world_camera)
        self._last_ns = timestamp_ns
        report.use()

    @property
    def views(self) -> Trajectory:
        """Return the trajectory of what looks along z, x right and y down: the camera's own."""
        return self.trajectory

    def space(self) -> SeenVoxels:
        """Return where the volume holds surface and where free space, in its world."""
        return seen_voxels(self._volume.views, self._least_weight())

    def surface(self) -> TriangleMesh:
        """Return the surface of everything fused, and give up the volume: this is the end."""
        voxel_size_m = self._volume.voxel_size_m
        surface = extract_mesh(self._volume, self._least_weight())
        del self._volume, self._model
        sensor = self.trajectory.poses[0].source
        noise, camera = self._rig.noise_of(sensor), self._rig.cameras[sensor]
        tracking_m = self._medians().get("sigma_m", 0.0)
        return with_errors(surface, noise, camera, voxel_size_m, tracking_m)

    def quality(self) -> dict[str, object]:
        """Return how well frames were placed, and how depth agrees over time, for the report."""
        agreement = asdict(self._consistency.result()) if self._consistency.pairs else None
        found: dict[str, object] = {"tracking": self._medians(), "consistency": agreement}
        return found | self._predictions.told()

    def _least_weight(self) -> float:
        """Return the weight up to which voxels are left out."""
        # What is not certain to one voxel; of few frames, nothing.
        certain = self._volume.weight_of(self._volume.voxel_size_m)
        return min(certain, len(self.trajectory) - 0.5)

    def _medians(self) -> dict[str, float]:
        placed = [result for result in self._results if not result.refused]
        names = ("overlap", "residual_m", "conditioning", "sigma_m") if placed else ()
        return {name: float(np.median([getattr(one, name) for one in placed])) for name in names}

    def _picture(self, frame: Frame) -> Prepared:
        """Prepare a frame that measured no metres itself, if others in it say how long they are."""
        settings, rig = self.settings.depth, self._rig
        try:
            found = depth_of_picture(frame, settings, rig)
        except AnchorError as error:
            seen = relative_depth(frame, settings, rig)
            return Prepared(frame, None, None, None, None, seen, error.reason)
        # Trusted metres are all that there is to track; else predicted ones are not tracked.
        trusted = found.fit is None
        measured = found.depth if trusted else found.measured
        return self._observed(Prepared(frame, found.depth, measured, None, None, trusted=trusted))

    def _observed(self, prepared: Prepared) -> Prepared:
        """Add colours, and what tracking reads of a frame."""
        depth, measured = prepared.depth, prepared.measured
        if depth is None or measured is None:
            return prepared
        colors = _colors(prepared.frame, depth, self._rig)
        observation = None
        if self._given is None:
            # Tracking sees no colours of what was only predicted, either.
            seen = colors if measured is depth else _colors(prepared.frame, measured, self._rig)
            observation = observe(measured, seen)
        return replace(prepared, colors=colors, observation=observation)

    def _anchored(self, prepared: Prepared) -> Prepared:
        """Hold a picture that waits by the volume so far, where the poses say what it shows."""
        T_world_camera = known_pose(self._given, prepared.frame)
        if prepared.relative is None or T_world_camera is None or not self._volume.own_kernels:
            return prepared
        (relative, picture), depth_settings = prepared.relative, self.settings.depth
        limits_m = (depth_settings.near_m, depth_settings.far_m or np.inf)
        views, camera = self._volume.views, relative.camera
        anchors = render_depth(views, camera, T_world_camera, limits_m, _ANCHOR_EVERY)
        if not anchors.valid.any():
            return prepared
        try:
            depth = hold(relative, picture, anchors, depth_settings).depth
        except AnchorError as error:
            return replace(prepared, refused=error.reason)
        # What came out of the volume must not go into it again.
        new = (depth.origins() == Origin.PREDICTED).astype(np.float32)
        depth = replace(
            depth,
            metres=new * depth.metres,
            sigma_m=new * depth.sigmas_m(),
            timestamp_ns=prepared.frame.timestamp_ns,
        )
        return self._observed(replace(prepared, depth=depth, measured=depth, refused=""))

    def _place(self, prepared: Prepared) -> tuple[RigidTransform | None, str]:
        """Return where a frame was, or why that is not known."""
        frame, observation = prepared.frame, prepared.observation
        if prepared.depth is None:
            return None, prepared.refused
        if not prepared.depth.metres.any():
            return None, "no depth"
        if observation is None:
            return known_pose(self._given, frame), "no pose"
        if self._tracker is None or not len(self.trajectory):
            # Until a frame is placed, each may be the first.
            self._tracker = RgbdTracker(
                self.settings.tracking,
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


class _Predictions:
    """Counts the frames that hold predicted depth, and why others do not."""

    def __init__(self) -> None:
        self._frames = self._trusted = 0
        self._refused: Counter[str] = Counter()

    def add(self, prepared: Prepared) -> None:
        """Count a frame that is fused."""
        depth = prepared.depth
        if depth is not None and depth.origin is not None:
            self._frames += bool((depth.origin == Origin.PREDICTED).any())
            self._trusted += prepared.trusted
        self._refused.update([prepared.refused] if prepared.refused else [])

    def told(self) -> dict[str, object]:
        """Return this for the report; nothing where nothing was to be predicted."""
        if not self._frames and not self._refused:
            return {}
        counts = {"frames": self._frames, "in_the_models_own_metres": self._trusted}
        return {"predicted": {**counts, "without": dict(self._refused)}}


def _colors(frame: Frame, depth: DepthMap, rig: Rig) -> NDArray[np.uint8] | None:
    """Return the colour of each depth pixel from the first picture of the frame, if any."""
    pictures = dict(frame.images)
    if isinstance(frame.measurement, Image):
        pictures = {frame.sensor: frame.measurement}
    return color_of_first(depth, pictures, rig)
