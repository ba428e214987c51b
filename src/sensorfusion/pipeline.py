"""The path: source, depth, odometry, fusion, mesh, files and report.

This module, ``mapper.py`` (depth cameras) and ``scan_mapper.py`` (LiDARs) compose the stages. Read
:func:`reconstruct` and those two classes and you have read the program.
"""

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from pathlib import Path

from sensorfusion.config import DepthSettings, Settings
from sensorfusion.depth.absolute import with_metric_scale
from sensorfusion.depth.into_camera import CameraDepth, Completion, IntoCamera
from sensorfusion.errors import SourceError, TrackingError
from sensorfusion.export.pose_files import read_poses
from sensorfusion.export.reconstruction import Reconstruction
from sensorfusion.mapper import Mapper
from sensorfusion.mesh.clean import decimate, remove_small_pieces
from sensorfusion.mesh.poisson import fill_holes
from sensorfusion.mesh.upright import find_up
from sensorfusion.perception.voxels import SeenVoxels
from sensorfusion.report import Report, environment
from sensorfusion.scan_mapper import ScanMapper
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
    on_space: Callable[[SeenVoxels], None] | None = None,
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
        Take ``T_world_camera`` from here (a file that :func:`read_poses` knows, or the recording
        itself) and do not track.
    go_on : callable, optional
        Told of each frame; ends the run early, with a whole result, by returning False.
    on_open : callable, optional
        Told of the open source: to close a camera from another thread ends the run early, too.
    on_space : callable, optional
        Given where the volume holds surface and where free space, upright (z up).

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
        mapper = (ScanMapper if opened.rig.lidars else Mapper)(opened, settings, given)
        total = len(opened) if isinstance(opened, SeekableFrameSource) else None
        with (
            closing(prefetch(opened)) as frames,
            closing(map_ahead(mapper.work_on, with_metric_scale(frames, opened.rig))) as prepared,
        ):
            for place_and_fuse in report.waiting("read", prepared):
                place_and_fuse(report)
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
    settings = mapper.settings
    with report.timed("mesh"):
        space = mapper.space() if on_space else None
        surface = mapper.surface()
        up = find_up(surface, mapper.views, down_world)
        if on_space and space:
            on_space(space.moved(up.T_up_world))
        mesh = _cleaned(surface, settings)
    report.facts |= {
        "upright_by": up.how,
        **mapper.quality(),
        "frames_per_second": round(delivered / (time.perf_counter() - start), 2),
        "mesh": _counts(mesh),
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


def _cleaned(surface: TriangleMesh, settings: Settings) -> TriangleMesh:
    """Return the surface without crumbs, closed and decimated as the settings say."""
    mesh = remove_small_pieces(surface, settings.mesh.smallest_piece_triangles)
    if settings.mesh.fill == "poisson":
        mesh = fill_holes(mesh, settings.fusion.edge_m)
    if settings.mesh.target_triangles:
        mesh = decimate(mesh, settings.mesh.target_triangles)
    return mesh


def _counts(mesh: TriangleMesh) -> dict[str, object]:
    """Return the size of a mesh, and how much of it nobody measured, for the report."""
    counts: dict[str, object] = {
        "vertices": len(mesh.vertices),
        "triangles": len(mesh.triangles),
    }
    if mesh.invented is not None:
        counts["invented"] = {
            "vertices": int(mesh.invented.sum()),
            "triangles": int((~mesh.measured()).sum()),
            "area_share": round(mesh.invented_share(), 6),
        }
    return counts


def _given_poses(source: FrameSource, poses: Trajectory | Path | str | None) -> Trajectory | None:
    if poses is None or isinstance(poses, Trajectory):
        return poses
    if str(poses) != "recording":
        return read_poses(poses, source)
    if source.trajectory is None:
        msg = "the recording holds no poses; leave out --poses to track it, or name a file of poses"
        raise SourceError(msg)
    return source.trajectory
