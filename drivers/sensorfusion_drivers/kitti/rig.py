"""The rig of a KITTI folder: its calibration texts, and the pictures that are there."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sensorfusion.calibration.kitti import HDL_64E, VELODYNE, camera_names, kitti_parts
from sensorfusion.calibration.parts import rig_of
from sensorfusion.errors import CalibrationError
from sensorfusion.formats.kitti_text import KittiText, parse_kitti_text
from sensorfusion.formats.parse_text import read_text
from sensorfusion.rig import Rig
from sensorfusion_drivers.pictures import picture_size


def read_kitti_text(path: Path) -> KittiText:
    """Read a calibration text.

    Raises
    ------
    CalibrationError
        If it cannot be read or parsed.
    """
    return parse_kitti_text(read_text(path), path)


def rig_for(
    texts: Sequence[KittiText], pictures: Mapping[str, Mapping[int, Path]], folder: Path
) -> Rig:
    """Return the rig of the LiDAR and of the cameras that took pictures.

    Parameters
    ----------
    texts : sequence of KittiText
        The calibration; may be empty where there are no pictures.
    pictures : mapping of str to mapping of int to Path
        Files by camera and number; the first says the size of the camera's pictures.
    folder : Path
        Named in errors.

    Raises
    ------
    CalibrationError
        If a camera with pictures has no projection matrix, one of other pictures, or nothing
        connects it to the LiDAR.
    """
    sizes_px = {name: picture_size(next(iter(paths.values()))) for name, paths in pictures.items()}
    known = {name for text in texts for name in camera_names(text)}
    lost = sorted(sizes_px.keys() - known)
    if lost:
        where = ", ".join(str(text.path) for text in texts) or "no calibration text"
        msg = (
            f"{folder}: pictures in {', '.join(lost)}, but no projection matrix for them in "
            f"{where}; put the calibration beside them, or move the pictures away"
        )
        raise CalibrationError(msg)
    for text in texts:
        _check_sizes(text, sizes_px)
    if not texts:
        return Rig(cameras={}, lidars={VELODYNE: HDL_64E})
    parts = [kitti_parts(text, sizes_px) for text in texts]
    rig = rig_of(parts, ", ".join(str(text.path) for text in texts))
    if VELODYNE in rig.lidars:
        return rig
    msg = (
        f"{folder}: nothing in {', '.join(text.path.name for text in texts)} says where the LiDAR "
        "sits; expected calib_velo_to_cam.txt, Tr or Tr_velo_to_cam"
    )
    raise CalibrationError(msg)


def _check_sizes(text: KittiText, sizes_px: Mapping[str, tuple[int, int]]) -> None:
    """Refuse pictures that were not rectified: the projection matrix is not theirs."""
    for name, size_px in sizes_px.items():
        written = f"S_rect_{name.removeprefix('image_')}"
        if written in text and text.numbers(written, 2) != size_px:
            width, height = text.numbers(written, 2)
            msg = (
                f"{text.path}: rectified pictures of {name} have {width:g}x{height:g} pixels, "
                f"those here {size_px[0]}x{size_px[1]}; expected rectified pictures (KITTI's "
                "synced drives, not the unsynced ones)"
            )
            raise CalibrationError(msg)
