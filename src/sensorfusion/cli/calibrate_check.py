"""``sensorfusion calibrate check-depth``: measured metres against those of a board."""

from collections import Counter
from contextlib import closing
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter

from sensorfusion.calibration.board import Board
from sensorfusion.calibration.board_depth import BoardDepth, compare_depth
from sensorfusion.calibration.board_plane import BoardPlane, board_plane
from sensorfusion.calibration.board_view import BLURRED_PX, BoardView, grey_of, view_board
from sensorfusion.calibration.depth_faults import bowing_of, name_faults
from sensorfusion.calibration.survey import EXPLAINED
from sensorfusion.cli.boards import BoardOptions, common_reasons
from sensorfusion.cli.depth import Kept
from sensorfusion.cli.location import SourceOptions
from sensorfusion.cli.output import only_our_output, write_json, write_line
from sensorfusion.cli.usage import UsageError
from sensorfusion.depth.into_camera import CameraDepth
from sensorfusion.errors import CalibrationError, EvaluationError
from sensorfusion.frame import Frame
from sensorfusion.image import Image
from sensorfusion.pipeline import depth_maps
from sensorfusion.rig import Rig
from sensorfusion.sources.driver import FrameSource
from sensorfusion.stereo_pair import StereoPair

# Above this share of a square, corners do not lie on a flat board as this camera sees it.
_MISFIT_SHARE = 0.04


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """How depth is judged, and how that is told.

    Attributes
    ----------
    tolerance : float
        By how much the ratio of measured depth to the board's plane may differ from 1.
    camera : str or None
        The camera whose pictures show the board; by default the first that takes pictures.
    json : bool
        Write one JSON object instead of text.
    """

    tolerance: float = 0.02
    camera: str | None = None
    json: Annotated[bool, Parameter(negative=())] = False

    def __post_init__(self) -> None:
        if not 0 < self.tolerance < 1:
            msg = f"--tolerance is {self.tolerance}; expected a share between 0 and 1, such as 0.02"
            raise UsageError(msg)


def check_depth(
    source: str,
    /,
    *,
    which: BoardOptions | None = None,
    judging: Judging | None = None,
    kept: Kept | None = None,
    opening: SourceOptions | None = None,
) -> None:
    """Check that a recording's metres are right, by a board of known size in its pictures.

    In each frame the board's plane follows from its corners; measured depth on the board is
    compared with it. Ends with exit code 1 when the ratio of a frame leaves the tolerance.

    Parameters
    ----------
    source
        A recording with pictures and depth: RGB-D, stereo, or a LiDAR with a camera.
    """
    board = (which or BoardOptions()).board
    judging, kept, opening = judging or Judging(), kept or Kept(), opening or SourceOptions()
    check = _Check(board, judging.tolerance)
    with only_our_output(), opening.open(source) as opened:
        camera = _picture_camera(opened, judging.camera)
        # Points of a scan are drawn into the picture; pixels stay where they were measured.
        target = camera if opened.rig.lidars else None
        with closing(depth_maps(opened, kept.settings(opened), target)) as measured:
            for found in measured:
                check.add(found, opened.rig, camera)
    check.refuse_nothing(source)
    if judging.json:
        write_json(check.to_json())
    else:
        check.write()
    check.refuse_wrong()


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    """One frame with a board."""

    frame: int
    plane: BoardPlane
    depth: BoardDepth
    remark: str


@dataclass(slots=True)
class _Check:
    """The frames of a recording, as far as they were looked at."""

    board: Board
    tolerance: float
    rows: list[_Row] = field(default_factory=list)
    without: dict[int, str] = field(default_factory=dict)

    def add(self, found: CameraDepth, rig: Rig, camera: str | None) -> None:
        index = found.frame.index
        image = _picture(found.frame, camera)
        if image is None:
            self.without[index] = "has no picture"
            return
        # In a long recording most frames may show none, for one reason.
        explain = len(self.without) < EXPLAINED
        view = view_board(self.board, grey_of(image), explain=explain)
        if isinstance(view, str):
            self.without[index] = view
            return
        plane = board_plane(view, rig.cameras[image.camera_name], self.board.square_m)
        compared = compare_depth(
            plane, found.depth, rig.transform(found.depth.camera.name, image.camera_name)
        )
        if isinstance(compared, str):
            self.without[index] = compared
        elif 2 * plane.sigma_m > self.tolerance * compared.distance_m:
            self.without[index] = "shows the board too small or blurred to tell its distance"
        else:
            self.rows.append(_Row(index, plane, compared, _remark(view, plane)))

    def is_wrong(self, row: _Row) -> bool:
        return abs(row.depth.ratio - 1) > self.tolerance

    def refuse_nothing(self, source: str) -> None:
        if self.rows:
            return
        told = common_reasons(self.without.values())
        msg = f"{source}: no frame shows the {self.board} with depth on it: {told}"
        raise EvaluationError(msg)

    def refuse_wrong(self) -> None:
        wrong = [row for row in self.rows if self.is_wrong(row)]
        if wrong:
            some = ", ".join(f"{row.frame} ({row.depth.ratio:.3f})" for row in wrong[:5])
            more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
            msg = (
                f"depth of {len(wrong)} of {len(self.rows)} frames is more than "
                f"{self.tolerance:.1%} off the board: frame {some}{more}"
            )
            raise EvaluationError(msg)

    def write(self) -> None:
        write_line(
            " frame  distance m   ratio   bias mm   MAD mm  plane +- mm  corners px   pixels"
        )
        for row in self.rows:
            told = ("  WRONG" if self.is_wrong(row) else "") + (row.remark and f"  {row.remark}")
            depth, plane = row.depth, row.plane
            write_line(
                f"{row.frame:6d} {depth.distance_m:11.4f} {depth.ratio:7.4f} "
                f"{1e3 * depth.bias_m:+9.1f} {1e3 * depth.mad_m:8.1f} {1e3 * plane.sigma_m:12.2f} "
                f"{plane.rms_px:11.2f} {depth.pixels:8d}{told}"
            )
        for reason, count in Counter(self.without.values()).most_common():
            write_line(f"  not compared: {reason} ({count} times)")
        for fault in self.faults:
            write_line(f"  {fault}")

    @property
    def faults(self) -> tuple[str, ...]:
        return name_faults([row.depth for row in self.rows], self.board.square_m, self.tolerance)

    def to_json(self) -> dict[str, Any]:
        bowing = bowing_of([row.depth for row in self.rows])
        return {
            "board": str(self.board),
            "tolerance": self.tolerance,
            "frames": [
                {
                    "frame": row.frame,
                    "ratio": row.depth.ratio,
                    "within_tolerance": not self.is_wrong(row),
                    "distance_m": row.depth.distance_m,
                    "bias_m": row.depth.bias_m,
                    "mad_m": row.depth.mad_m,
                    "pixels": row.depth.pixels,
                    "plane_sigma_m": row.plane.sigma_m,
                    "corners_rms_px": row.plane.rms_px,
                    "remark": row.remark,
                }
                for row in self.rows
            ],
            "not_compared": {str(index): reason for index, reason in self.without.items()},
            "bowing": asdict(bowing) if bowing else None,
            "faults": list(self.faults),
        }


def _picture_camera(source: FrameSource, camera: str | None) -> str | None:
    """Return the camera whose pictures are looked at; None: the first that a frame has."""
    if camera is not None:
        if camera not in source.rig.cameras:
            msg = f"--camera {camera}: the rig has {', '.join(source.rig.cameras) or 'no camera'}"
            raise UsageError(msg)
        return camera
    if not source.rig.lidars:
        return None
    if not source.rig.cameras:
        msg = "a LiDAR alone takes no picture of a board; a recording with a camera is needed"
        raise CalibrationError(msg)
    return next(iter(source.rig.cameras))


def _picture(frame: Frame, camera: str | None) -> Image | None:
    images = list(frame.images.values())
    if isinstance(frame.measurement, StereoPair):
        images += frame.measurement.images
    elif isinstance(frame.measurement, Image):
        images.append(frame.measurement)
    return next((image for image in images if camera in (None, image.camera_name)), None)


def _remark(view: BoardView, plane: BoardPlane) -> str:
    """Return what is suspicious about a picture of a board."""
    if view.edge_px is not None and view.edge_px > BLURRED_PX:
        return f"blurred: edges {view.edge_px:.0f} px wide"
    px_per_m = np.linalg.norm(view.pixels.std(axis=0)) / np.linalg.norm(view.points_m.std(axis=0))
    if plane.rms_px > _MISFIT_SHARE * plane.square_m * px_per_m:
        return f"corners {plane.rms_px:.1f} px off a flat board: is the camera as calibrated?"
    return ""
