"""Pose files of other programs: with times, or in the order of the frames."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import CalibrationError, CorruptRecordingError, SourceError
from sensorfusion.export.trajectory import read_trajectory
from sensorfusion.formats.read_file import read_whole
from sensorfusion.sources.driver import FrameSource, SeekableFrameSource
from sensorfusion.trajectory import Trajectory
from sensorfusion.transform import RigidTransform

_FORMAT = "TUM (8 numbers a line), KITTI (12 numbers a line) or a log of 4x4 matrices"
_ADVICE = "give the poses in one of these"
_BOTTOM = np.array([0.0, 0.0, 0.0, 1.0])
_Lines = list[tuple[int, list[str]]]


def read_poses(path: Path | str, source: FrameSource) -> Trajectory:
    """Read where a source's sensor was, from a pose file of any of three kinds.

    Parameters
    ----------
    path : Path or str
        TUM: a time and a pose on each line. KITTI: the first three rows of ``T_world_sensor`` on
        each line. A log: ``T_world_sensor`` as four lines of four numbers, in Open3D's ``.log``
        each with a line of three whole numbers before it. The last two have no times: pose i is
        that of frame i.
    source : FrameSource
        That the poses belong to; asked for the times of its frames where the file has none.

    Returns
    -------
    Trajectory
        From the sensor that measures to ``world``, metres.

    Raises
    ------
    SourceError
        If the file cannot be read, or has no times and the source's frames are not known.
    CorruptRecordingError
        If the file is none of these, or holds another number of poses than there are frames.

    References
    ----------
    Sturm et al., IROS 2012; the development kit of the KITTI odometry benchmark; Choi, Zhou and
    Koltun, "Robust reconstruction of indoor scenes", CVPR 2015 (trajectory logs).
    """
    path = Path(path)
    text = read_whole(path, _FORMAT).decode("utf-8", errors="replace")
    split = [line.split("#")[0].replace(",", " ").split() for line in text.splitlines()]
    lines = [(number, words) for number, words in enumerate(split, start=1) if words]
    if not lines or len(lines[0][1]) == 8:
        return read_trajectory(path)
    matrices = _of_lines(path, lines) if len(lines[0][1]) == 12 else _of_log(path, lines)
    if not isinstance(source, SeekableFrameSource):
        msg = f"{path}: its poses have no times, and the frames cannot be counted; give a TUM file"
        raise SourceError(msg)
    if len(matrices) != len(source):
        found = f"{len(matrices)} poses for {len(source)} frames"
        raise CorruptRecordingError(path, 0, found, "one pose for each frame", _ADVICE)
    trajectory = Trajectory()
    for frame, matrix in zip(source, matrices, strict=True):
        try:
            T_world_sensor = RigidTransform.nearest("world", frame.sensor, matrix)
            trajectory.append(frame.timestamp_ns, T_world_sensor)
        except (CalibrationError, ValueError) as error:
            found = f"pose {frame.index}: {error}"
            raise CorruptRecordingError(path, 0, found, "rotations and metres", _ADVICE) from error
    return trajectory


def given_or_recorded(poses: Path | str | None, source: FrameSource) -> Trajectory | None:
    """Return the poses of a file, or without one ("recording", too) those that a source holds.

    Raises
    ------
    SourceError, CorruptRecordingError
        As :func:`read_poses`.
    """
    if poses is None or str(poses) == "recording":
        return source.trajectory
    return read_poses(poses, source)


def _of_lines(path: Path, lines: _Lines) -> list[NDArray[np.float64]]:
    """Return the matrices of lines of twelve numbers."""
    return [
        np.vstack([_numbers(path, number, words, 12).reshape(3, 4), _BOTTOM])
        for number, words in lines
    ]


def _of_log(path: Path, lines: _Lines) -> list[NDArray[np.float64]]:
    """Return the matrices of lines of four numbers, four lines each."""
    rows = [
        _numbers(path, number, words, 4)
        for number, words in lines
        if not (len(words) == 3 and all(word.isdecimal() for word in words))
    ]
    if len(rows) % 4:
        found = f"{len(rows)} rows of matrices"
        raise CorruptRecordingError(path, 0, found, "four for each pose", _ADVICE)
    return list(np.array(rows).reshape(-1, 4, 4))


def _numbers(path: Path, number: int, words: list[str], count: int) -> NDArray[np.float64]:
    try:
        values = np.array([float(word) for word in words])
    except ValueError:
        values = np.full(0, np.nan)
    if len(values) != count or not np.isfinite(values).all():
        found = f"line {number}: {' '.join(words)[:60]!r}"
        raise CorruptRecordingError(path, 0, found, f"{count} numbers ({_FORMAT})", _ADVICE)
    return values
