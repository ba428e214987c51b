"""``sensorfusion export map``: all points of a recording in one world, in one file."""

from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from sensorfusion.cli.location import SourceOptions
from sensorfusion.cli.output import only_our_output, write_line
from sensorfusion.cli.progress import Watch
from sensorfusion.cli.usage import UsageError
from sensorfusion.config import DepthSettings
from sensorfusion.depth.absolute import with_metric_scale
from sensorfusion.depth.into_cloud import IntoCloud
from sensorfusion.errors import ConfigError, SourceError
from sensorfusion.export.cloud import CLOUD_ENDINGS, check_cloud_path, write_cloud
from sensorfusion.export.map_cloud import MapCloud
from sensorfusion.export.pose_files import given_or_recorded
from sensorfusion.formats.whole_file import make_folder
from sensorfusion.odometry.given import known_pose
from sensorfusion.point_cloud import PointCloud
from sensorfusion.sources.driver import FrameSource, SeekableFrameSource
from sensorfusion.sources.prefetch import prefetch
from sensorfusion.trajectory import Trajectory

_SMALLEST_M, _LARGEST_M = 0.001, 100.0


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class MapFile:
    """What is written.

    Attributes
    ----------
    out : Path
        NAME.ply, NAME.pcd, NAME.las or NAME.laz; the last two need the extra "lidar" and hold
        whole millimetres. Its folder is made if it is not there.
    voxel_size_m : float
        One point is kept for each cube of this edge, metres: the mean of those in it.
    color : bool
        Give points the colours that the cameras see there; black where none does.
    """

    out: Path
    voxel_size_m: float = 0.05
    color: Annotated[bool, Parameter(negative=())] = False

    def __post_init__(self) -> None:
        if not _SMALLEST_M <= self.voxel_size_m <= _LARGEST_M:
            msg = (
                f"--voxel-size-m is {self.voxel_size_m}; expected a value from {_SMALLEST_M} to "
                f"{_LARGEST_M}"
            )
            raise UsageError(msg)
        if self.out.suffix.lower() not in CLOUD_ENDINGS:
            msg = f"--out {self.out}: expected a name that ends in {', '.join(CLOUD_ENDINGS)}"
            raise UsageError(msg)


def export_map(
    source: str,
    /,
    *,
    file: MapFile,
    poses: str | None = None,
    near_m: float = 0.0,
    far_m: float | None = None,
    opening: SourceOptions | None = None,
) -> None:
    """Write the points of all frames, in metres, in one world: one point for each voxel.

    Each is the mean of the points in its voxel (place, intensity, colour) and says how many those
    were (observations). Scans are compensated for the sensor's motion.

    Parameters
    ----------
    source
        A recording, a folder, or a name such as synthetic:street.
    poses
        Poses of the sensor that measures: a TUM file, such as the trajectory.tum of reconstruct,
        or the recording itself ("recording"); by default the recording's own.
    near_m
        Nearer points are left out, metres.
    far_m
        Farther points are left out, metres: by default what the sensor is good for.
    """
    opening = opening or SourceOptions()
    try:
        settings = DepthSettings(near_m=near_m, far_m=far_m)
    except ConfigError as error:
        raise UsageError(str(error)) from error
    check_cloud_path(file.out)
    with only_our_output(), opening.open(source) as opened, Watch("map", file.out.parent) as watch:
        watch.closes(opened)
        trajectory = _trajectory(opened, source, poses)
        into_cloud = IntoCloud(opened.rig, settings, trajectory, with_color=file.color)
        merged, told = _merged(opened, into_cloud, trajectory, file.voxel_size_m, watch)
        if not told["used"]:
            msg = (
                f"{source}: none of {told['frames']} frames has a pose within 20 ms; are the poses "
                "of this recording, with its time stamps?"
            )
            raise SourceError(msg)
        make_folder(file.out.parent)
        write_cloud(merged, file.out, compressed=file.out.suffix.lower() == ".pcd")
        losses, notes = opened.losses, opened.notes
    write_line(f"{len(merged)} points, of {told['points']} in {told['used']} frames, in {file.out}")
    if file.color and len(merged):
        share = 0.0 if merged.color is None else float(merged.color.any(axis=1).mean())
        write_line(f"  {share:.1%} of the points have a colour")
    if told["frames"] > told["used"]:
        write_line(f"  left out {told['frames'] - told['used']} frames: no pose")
    if told["skewed"]:
        write_line(f"  {told['skewed']} scans as they are: how they moved is not known")
    for reason, count in losses.dropped.items():
        write_line(f"  dropped {count}: {reason}")
    for note in notes:
        write_line(f"  note: {note}")
    if watch.interrupted:
        raise KeyboardInterrupt


def _merged(
    source: FrameSource,
    into_cloud: IntoCloud,
    trajectory: Trajectory,
    voxel_size_m: float,
    watch: Watch,
) -> tuple[PointCloud, Counter[str]]:
    """Return the map, and the number of frames, frames used, their points, and skewed scans."""
    gathered, told = MapCloud(voxel_size_m), Counter[str]()
    total = len(source) if isinstance(source, SeekableFrameSource) else None
    with closing(prefetch(source)) as frames:
        for frame in with_metric_scale(frames, source.rig):
            told["frames"] += 1
            T_world_sensor = known_pose(trajectory, frame)
            if T_world_sensor is not None:
                cloud = into_cloud(frame)
                gathered.add(cloud, T_world_sensor)
                told["used"] += 1
                told["points"] += len(cloud)
                told["skewed"] += cloud.time_offset_ns is not None
            if not watch(told["frames"], total):
                break
    return gathered.cloud(), told


def _trajectory(source: FrameSource, location: str, poses: str | None) -> Trajectory:
    trajectory = given_or_recorded(poses, source)
    if trajectory is None:
        msg = (
            f"{location}: the recording holds no poses, so nothing says how its frames lie in one "
            "world; run 'sensorfusion reconstruct' on it first and give its trajectory.tum with "
            "--poses"
        )
        raise SourceError(msg)
    return trajectory
