"""``sensorfusion calibrate camera`` and ``stereo``: cameras from pictures of a board."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from cyclopts import Parameter
from numpy.typing import NDArray

from sensorfusion.calibration.board_pictures import find_pictures, pair_pictures, sides_of
from sensorfusion.calibration.estimate_camera import CameraEstimate, estimate_camera
from sensorfusion.calibration.estimate_stereo import StereoEstimate, estimate_stereo
from sensorfusion.calibration.rig_file import write_rig
from sensorfusion.calibration.survey import Survey, check_one_size, survey
from sensorfusion.calibration.well_posed import FEWEST_PICTURES
from sensorfusion.cli.boards import BoardOptions
from sensorfusion.cli.calibrate_report import (
    camera_json,
    stereo_json,
    write_camera,
    write_others,
    write_place,
)
from sensorfusion.cli.output import write_json, write_line
from sensorfusion.cli.usage import UsageError
from sensorfusion.rig import Rig
from sensorfusion.view.picture import write_picture
from sensorfusion.view.residuals import ShownPicture, beside, draw_residuals


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What is estimated, and where it is written.

    Attributes
    ----------
    out : Path
        The rig file (TOML) to write.
    model : {"brown_conrady", "kannala_brandt"}
        Of the lens: the usual one, or that of a fisheye.
    picture : Path or None
        Also draw the residuals into this PNG: where in the picture they lie and point, how much
        of the picture was covered, and which pictures are bad.
    json : bool
        Write one JSON object instead of text.
    """

    out: Path
    model: Literal["brown_conrady", "kannala_brandt"] = "brown_conrady"
    picture: Path | None = None
    json: Annotated[bool, Parameter(negative=())] = False


def camera(
    *pictures: Path, results: Results, name: str = "camera", which: BoardOptions | None = None
) -> None:
    """Find a camera's focal lengths, principal point and distortion from pictures of a board.

    Take 10 to 20 pictures at one zoom and focus, the board tilted by 20 to 40 degrees to each side
    and near the corners of the picture, too. Pictures that contradict the others are left out and
    named; coefficients of the lens that nothing determines stay zero.

    Parameters
    ----------
    pictures
        Files, or folders of them (PNG, JPEG).
    name
        What the camera is called in the rig file.
    """
    board = (which or BoardOptions()).board
    if not pictures:
        msg = "calibrate camera needs pictures of the board; give files or a folder"
        raise UsageError(msg)
    files, others = find_pictures(pictures)
    seen = survey(files, board)
    seen.check_enough(board, FEWEST_PICTURES)
    found = estimate_camera(list(seen.views.values()), seen.size_px, name, results.model)
    write_rig(Rig({name: found.camera}), results.out)
    shown = _shown(seen, found)
    if results.picture:
        title = f"{name}, RMS {found.rms_px:.3f} px"
        write_picture(results.picture, draw_residuals(title, seen.size_px, shown))
    if results.json:
        write_json({"board": str(board), **camera_json(seen, found, shown)})
        return
    used = sum(one.used for one in shown)
    write_line(
        f"{results.out}: camera {name!r} from {used} of {len(files)} pictures, "
        f"RMS {found.rms_px:.3f} px"
    )
    write_camera(seen, found, shown)
    write_others(others)


def stereo(
    *pictures: Path,
    results: Results,
    left: Annotated[tuple[Path, ...], Parameter(consume_multiple=True, negative=())] = (),
    right: Annotated[tuple[Path, ...], Parameter(consume_multiple=True, negative=())] = (),
    which: BoardOptions | None = None,
) -> None:
    """Find two cameras and how they sit to each other from pairs of pictures of a board.

    Give --left and --right, each a folder or files, paired by the numbers in their names or else
    by their order; or one folder whose names hold `left` and `right`. The size of the board's
    squares, in metres, is what makes the baseline metric. The rig file holds the cameras `left`
    and `right`.

    Parameters
    ----------
    pictures
        Files or folders of both sides, where --left and --right are not given.
    left
        Pictures of the left camera: files or folders.
    right
        Pictures of the right camera, taken at the same instants.
    """
    board = (which or BoardOptions()).board
    if bool(left) != bool(right) or bool(pictures) == bool(left):
        msg = "calibrate stereo needs --left and --right, or one folder with left* and right*"
        raise UsageError(msg)
    if left:
        (ones, others), (twos, more) = find_pictures(left), find_pictures(right)
        others += more
    else:
        files, others = find_pictures(pictures)
        ones, twos = sides_of(files)
    pairs = pair_pictures(ones, twos)
    sides = [survey([pair[side] for pair in pairs], board) for side in (0, 1)]
    for seen in sides:
        seen.check_enough(board, FEWEST_PICTURES)
    if sides[0].size_px != sides[1].size_px:
        check_one_size({seen.size_px: list(seen.views) for seen in sides})
    both = [pair for pair in pairs if pair[0] in sides[0].views and pair[1] in sides[1].views]
    views = [(sides[0].views[one], sides[1].views[two]) for one, two in both]
    found = estimate_stereo(views, sides[0].size_px, board, results.model)
    write_rig(found.rig, results.out)
    kept = [_only(seen, [pair[i] for pair in both]) for i, seen in enumerate(sides)]
    shown = [_shown(kept[0], found.left), _shown(kept[1], found.right)]
    if results.picture:
        write_picture(results.picture, _draw_pair(found, shown))
    if results.json:
        write_json({"board": str(board), **stereo_json(kept, found, shown)})
        return
    used = sum(one.used for one in shown[0])
    write_line(
        f"{results.out}: cameras 'left' and 'right' from {used} of {len(pairs)} pairs, "
        f"RMS {found.rms_px:.3f} px"
    )
    write_place(found)
    for name, seen, one, drawn in zip(
        ("left", "right"), kept, (found.left, found.right), shown, strict=True
    ):
        write_line(f"  {name}: RMS {one.rms_px:.3f} px")
        write_camera(seen, one, drawn)
    write_others(others)


def _only(seen: Survey, files: Sequence[Path]) -> Survey:
    """Return a survey whose views are those of complete pairs; the rest has a reason."""
    views = {path: seen.views[path] for path in files}
    alone = dict.fromkeys(set(seen.views) - set(views), "shows the board, but its partner does not")
    return Survey(seen.size_px, views, {**seen.refused, **alone})


def _shown(seen: Survey, found: CameraEstimate) -> list[ShownPicture]:
    return [
        ShownPicture(path.name, fit.pixels, fit.residuals_px, fit.used)
        for path, fit in zip(seen.views, found.pictures, strict=True)
    ]


def _draw_pair(found: StereoEstimate, shown: Sequence[Sequence[ShownPicture]]) -> NDArray[np.uint8]:
    drawn = []
    for one, pictures in zip((found.left, found.right), shown, strict=True):
        size_px = (one.camera.width, one.camera.height)
        title = f"{one.camera.name}, RMS {one.rms_px:.3f} px"
        drawn.append(draw_residuals(title, size_px, pictures))
    return beside(drawn)
