"""Frames of the object benchmark: ``velodyne``, ``image_2`` and a calibration text for each.

They are single shots of many drives. A rig holds one calibration, so the frames that share that of
the first are opened, or that of the frame that the user names; the others are counted.
"""

from pathlib import Path

from sensorfusion.calibration.kitti import VELODYNE
from sensorfusion.errors import DriverError, SourceError
from sensorfusion.formats.kitti_text import KittiText
from sensorfusion_drivers.kitti.listing import (
    NOMINAL_PERIOD_NS,
    Listing,
    has_scans,
    items,
    numbered_pictures,
    numbered_scans,
    numbered_texts,
    ordered,
)
from sensorfusion_drivers.kitti.rig import read_kitti_text, rig_for

_CAMERAS = ("image_2", "image_3")
_TEXTS = "calib"
_NOTE = "frames are single shots without time: frame N is taken to stand at N / 10 s"


def is_objects(folder: Path) -> bool:
    """Say whether a folder holds scans and a folder of calibration texts."""
    return has_scans(folder / VELODYNE) and bool(numbered_texts(folder / _TEXTS))


def list_objects(folder: Path, calibration_of: int | None) -> Listing:
    """List the frames that share a calibration.

    Parameters
    ----------
    folder : Path
    calibration_of : int or None
        Number of a frame; None takes the first that has a calibration.

    Raises
    ------
    SourceError
        If no scan has a calibration text.
    DriverError
        If the named frame has none.
    CalibrationError
        If a text cannot be read, or does not fit the pictures.
    """
    paths = numbered_scans(folder / VELODYNE)
    files = numbered_texts(folder / _TEXTS)
    texts = {number: read_kitti_text(files[number]) for number in paths if number in files}
    chosen = _chosen(texts, calibration_of, folder)
    shared = {number for number, text in texts.items() if text.values == chosen.values}
    pictured = {name: numbered_pictures(folder / name) for name in _CAMERAS}
    taken = {
        name: {
            number: path
            # The first says the size of all: one that the calibration is for.
            for number, path in sorted(found.items(), key=lambda each: each[0] not in shared)
            if number not in texts.keys() - shared
        }
        for name, found in pictured.items()
    }
    taken = {name: found for name, found in taken.items() if found}
    others = sorted(texts.keys() - shared)
    return Listing(
        rig=rig_for([chosen], taken, folder),
        scans=ordered(items({n: paths[n] for n in sorted(shared)}, _instant).values()),
        pictures={name: items(found, _instant) for name, found in taken.items()},
        read_poses=lambda: None,
        notes=(_NOTE, *_about_others(others, len(shared))),
        dropped={
            reason: count
            for reason, count in (
                ("calibration text missing", len(paths) - len(texts)),
                ("another calibration, see calibration-of", len(others)),
            )
            if count
        },
    )


def _chosen(texts: dict[int, KittiText], number: int | None, folder: Path) -> KittiText:
    if number is None and texts:
        return next(iter(texts.values()))
    if number in texts:
        return texts[number]
    if number is None:
        msg = f"{folder}: no scan has a text of its number in {_TEXTS}/; expected one for each"
        raise SourceError(msg)
    msg = f"calibration-of is {number}, but no scan with this number has a calibration in {folder}"
    raise DriverError(msg)


def _about_others(others: list[int], count: int) -> tuple[str, ...]:
    if not others:
        return ()
    return (
        f"{count} of {count + len(others)} frames have this calibration; "
        f"-o calibration-of={others[0]} opens those like frame {others[0]:06d}",
    )


def _instant(number: int) -> int:
    return number * NOMINAL_PERIOD_NS
