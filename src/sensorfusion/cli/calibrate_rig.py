"""``sensorfusion calibrate check-extrinsics`` and ``rig``: how sensors sit, by edges and boards."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter
from numpy.typing import NDArray

from sensorfusion.calibration.check_extrinsics import ExtrinsicsCheck, check_extrinsics
from sensorfusion.calibration.edge_alignment import SECONDS
from sensorfusion.calibration.edge_observation import Observed
from sensorfusion.calibration.estimate_rig import estimate_rig, refined_rig
from sensorfusion.calibration.rig_file import read_rig, write_rig
from sensorfusion.cli.board_observation import observe_boards
from sensorfusion.cli.boards import BoardOptions
from sensorfusion.cli.location import SourceOptions
from sensorfusion.cli.output import only_our_output, write_json, write_line
from sensorfusion.cli.rig_observation import Beside, frames_beside, observe
from sensorfusion.cli.rig_report import change_json, change_lines, estimate_json, estimate_lines
from sensorfusion.cli.usage import UsageError
from sensorfusion.errors import EvaluationError
from sensorfusion.export.pose_files import given_or_recorded
from sensorfusion.image import Image
from sensorfusion.rig import Rig
from sensorfusion.sources.driver import FrameSource
from sensorfusion.trajectory import Trajectory
from sensorfusion.view.edges import draw_edges
from sensorfusion.view.picture import write_picture

_FRAMES_CHECKED, _FRAMES_USED = 12, 50
# A LiDAR beside a camera is measured with a tape; a depth camera's parts share a case.
_LIDAR_WAY_M, _CAMERA_WAY_M = 0.1, 0.03


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Which transform is asked for, and what is known beside.

    Attributes
    ----------
    rig : Path or None
        Rig file to judge or begin with, in place of what the recording or its driver says.
    camera : str or None
        The camera whose place to the measuring sensor is asked; by default the first beside it.
    poses : str or None
        TUM file of the measuring sensor's poses, by which scans are moved to the instants of the
        pictures; by default the poses that the recording holds.
    json : bool
        Write one JSON object instead of text.
    """

    rig: Path | None = None
    camera: str | None = None
    poses: str | None = None
    json: Annotated[bool, Parameter(negative=())] = False

    def rig_of(self, source: FrameSource) -> Rig:
        """Return the rig that is asked about."""
        return source.rig if self.rig is None else read_rig(self.rig)

    def trajectory(self, source: FrameSource) -> Trajectory | None:
        """Return the motion of the measuring sensor, None where it is not known."""
        return given_or_recorded(self.poses, source)

    def beside(self, source: FrameSource, most: int) -> Beside:
        """Return frames of a recording, at most so many, with pictures of the camera."""
        rig = self.rig_of(source)
        return frames_beside(source, rig, self.camera, self.trajectory(source), most)


def check_extrinsics_(
    source: str,
    /,
    *,
    tolerance_deg: float = 0.5,
    overlay: Path | None = None,
    judged: Judged | None = None,
    opening: SourceOptions | None = None,
) -> None:
    """Check where a camera sits to the LiDAR or depth camera beside it, by edges.

    Edges of depth and intensity must lie on edges of the pictures. Ends with exit code 1 when
    another place explains the pictures better, and says which; an inverse, or axes of another
    convention, are called by their names. Where the scene cannot say, it says so, and ends with 1.

    Parameters
    ----------
    source
        A recording with pictures beside scans or depth.
    tolerance_deg
        A turn of more than this, or a way that moves edges by as much, is flagged.
    overlay
        PNG file to write: edges over a picture, red as given, green where they lie best.
    """
    if not 0 < tolerance_deg < 10:
        msg = f"--tolerance-deg is {tolerance_deg}; expected degrees from 0 to 10, such as 0.5"
        raise UsageError(msg)
    judged, opening = judged or Judged(), opening or SourceOptions()
    with only_our_output(), opening.open(source) as opened:
        beside = judged.beside(opened, _FRAMES_CHECKED)
        observed, pictures = observe(beside), beside.pictures
        found = check_extrinsics(observed, _way_m(beside), math.radians(tolerance_deg))
        if overlay is not None:
            write_picture(overlay, _overlay(observed, pictures, found))
    if judged.json:
        write_json(_check_json(found, len(pictures)))
    else:
        _write_check(found, len(pictures), observed.moves)
    if found.verdict != "agrees":
        msg = f"{source}: {found.reason}"
        raise EvaluationError(msg)


def rig(
    source: str,
    /,
    *,
    out: Path,
    frames: int = _FRAMES_USED,
    which: BoardOptions | None = None,
    judged: Judged | None = None,
    opening: SourceOptions | None = None,
) -> None:
    """Refine where a camera sits to the LiDAR or depth camera beside it, and its time offset.

    Edges of depth and intensity are laid on those of the pictures, over frames spread over the
    whole recording. With --chessboard or --charuco, what was measured on the board must also lie
    on its plane as the picture shows it: turn the board to different sides. The time offset needs
    the motion: poses of the recording, or --poses; turns tell it apart from the way along the
    drive. Begin within 2 degrees and a few centimetres.

    Parameters
    ----------
    source
        A recording with pictures beside scans or depth.
    out
        The rig file (TOML) to write, with standard deviations as comments.
    frames
        How many frames to use at most.
    """
    if not 1 <= frames <= 1000:
        msg = f"--frames is {frames}; expected 1 to 1000"
        raise UsageError(msg)
    board = (which or BoardOptions()).board_if_any
    judged, opening = judged or Judged(), opening or SourceOptions()
    with only_our_output(), opening.open(source) as opened:
        beside = judged.beside(opened, frames)
        boards = () if board is None else observe_boards(beside, board)
        found = estimate_rig(observe(beside), _way_m(beside), boards)
    lines = estimate_lines(found)
    write_rig(refined_rig(beside.rig, found), out, lines)
    if judged.json:
        write_json({"rig": str(out), **estimate_json(found)})
        return
    for line in (*lines, str(out)):
        write_line(line)


def _overlay(
    observed: Observed, pictures: tuple[Image, ...], found: ExtrinsicsCheck
) -> NDArray[np.uint8]:
    """Return the picture in the middle of the recording with its edges."""
    number = len(pictures) // 2
    given, best = (
        observed.camera.project(T.apply(edges.points[edges.frames == number]))
        for T, edges in (
            (found.T_given, observed.edges_at(0)),
            (found.T_best, observed.edges_at(round(1e9 * found.change[SECONDS]))),
        )
    )
    return draw_edges(pictures[number], given, best)


def _check_json(found: ExtrinsicsCheck, frames: int) -> dict[str, Any]:
    return {
        "transform": found.T_given.name,
        "verdict": found.verdict,
        "reason": found.reason,
        "named": found.named or None,
        "frames": frames,
        "points": found.points,
        "agreement": found.agreement,
        "best_agreement": found.best_agreement,
        "off_px": found.off_px,
        "turn_deg": np.degrees(found.turn_rad).tolist(),
        "turn_sigma_deg": np.degrees(found.turn_sigma_rad).tolist(),
        "change": change_json(found.change, found.sigma),
        "best": found.T_best.matrix.tolist(),
        "agreement_after": found.profile,
    }


def _write_check(found: ExtrinsicsCheck, frames: int, moves: bool) -> None:
    write_line(f"{found.T_given.name}: {found.points} edge points in {frames} pictures")
    write_line(
        f"agreement as given   {found.agreement:6.1f} standard deviations above chance; at the "
        f"best place {found.best_agreement:.1f}"
    )
    for name, value in found.profile.items():
        write_line(f"  {name:18} {value:6.1f}")
    if found.points:
        write_line(f"best place: edges move by {found.off_px:.1f} px (rms); change from given:")
        for line in change_lines(found.change, found.sigma):
            write_line(f"  {line}")
        if not moves:
            write_line("  time: not known, as the recording has no poses")
    write_line(f"verdict: {found.verdict}; {found.reason}")


def _way_m(beside: Beside) -> float:
    """Return how far a way may be off, one standard deviation, metres."""
    return _LIDAR_WAY_M if beside.sensor in beside.rig.lidars else _CAMERA_WAY_M
