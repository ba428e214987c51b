"""Trajectory files in the format of the TUM RGB-D benchmark."""

from decimal import Decimal
from pathlib import Path

import numpy as np

from sensorfusion.errors import CorruptRecordingError
from sensorfusion.formats.read_file import read_whole
from sensorfusion.formats.whole_file import whole_file
from sensorfusion.trajectory import Trajectory
from sensorfusion.transform import (
    RigidTransform,
    quaternion_xyzw_from_rotation,
    rotation_from_quaternion_xyzw,
)

_HEADER = "# timestamp_s tx_m ty_m tz_m qx qy qz qw\n"
_NS_PER_S = 1_000_000_000
_LARGEST_NS = 1 << 62
_FORMAT = "8 numbers: time in s, tx ty tz in m, qx qy qz qw"
_ADVICE = "give a trajectory in the TUM format"


def write_trajectory(path: Path | str, trajectory: Trajectory) -> None:
    """Write ``T_world_camera`` at each time, whole or not at all.

    Times keep every nanosecond; positions are written to 1e-9 m.

    Parameters
    ----------
    path : Path or str
    trajectory : Trajectory

    Raises
    ------
    OutputError
        If the file cannot be written whole.

    References
    ----------
    Sturm et al., "A Benchmark for the Evaluation of RGB-D SLAM Systems", IROS 2012; the file
    format is described on the benchmark's page, "File Formats".
    """
    with whole_file(path) as temporary, temporary.open("w", newline="\n") as file:
        file.write(_HEADER)
        for timestamp_ns, T_world_camera in trajectory:
            sign, (seconds, rest_ns) = (
                "-" * (timestamp_ns < 0),
                divmod(abs(timestamp_ns), _NS_PER_S),
            )
            quaternion = quaternion_xyzw_from_rotation(T_world_camera.rotation)
            # Adding 0 turns -0 into 0, so that rounding never shows as a sign.
            rounded = np.round([*T_world_camera.translation_m, *quaternion], 9) + 0.0
            numbers = " ".join(f"{value:.9f}" for value in rounded)
            file.write(f"{sign}{seconds}.{rest_ns:09d} {numbers}\n")


def read_trajectory(path: Path | str, camera: str = "camera") -> Trajectory:
    """Read ``T_world_camera`` at each time.

    Parameters
    ----------
    path : Path or str
        Lines of "time tx ty tz qx qy qz qw", separated by spaces or commas; ``#`` begins a
        comment.
    camera : str
        Name of the coordinate system whose poses the file holds.

    Returns
    -------
    Trajectory
        From ``camera`` to ``world``. Times are exact to the nanosecond.

    Raises
    ------
    SourceError
        If the file cannot be read.
    CorruptRecordingError
        If a line does not hold what the format says, a quaternion is not of unit length, time
        does not increase, or the file holds no pose; the line is named.
    """
    path = Path(path)
    data = read_whole(path, _FORMAT)
    trajectory, offset = Trajectory(), 0
    for number, line in enumerate(data.splitlines(keepends=True), start=1):
        text = line.decode("utf-8", errors="replace").split("#")[0].replace(",", " ").strip()
        if text:
            try:
                trajectory.append(*_pose(text.split(), camera))
            except ValueError as error:
                found = f"line {number}, {error}"
                raise CorruptRecordingError(path, offset, found, _FORMAT, _ADVICE) from None
        offset += len(line)
    if not len(trajectory):
        raise CorruptRecordingError(path, 0, "no pose", _FORMAT, _ADVICE)
    return trajectory


def _pose(words: list[str], camera: str) -> tuple[int, RigidTransform]:
    """Return time and pose of one line, or raise ValueError that says what is wrong."""
    if len(words) != 8:
        msg = f"which has {len(words)} values"
        raise ValueError(msg)
    values = np.array([float(word) for word in words[1:]])
    try:
        # Not float: seconds since 1970 leave it only 240 ns.
        time_ns = Decimal(words[0]) * _NS_PER_S
        in_range = abs(time_ns) < _LARGEST_NS
    except ArithmeticError:
        msg = f"whose time is {words[0][:40]!r}"
        raise ValueError(msg) from None
    if not (np.isfinite(values).all() and in_range):
        msg = "which holds a value that is not finite or too large"
        raise ValueError(msg)
    length = float(np.linalg.norm(values[3:]))
    if abs(length - 1) > 0.01:
        msg = f"whose quaternion has length {length:.4g} instead of 1"
        raise ValueError(msg)
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_from_quaternion_xyzw(values[3:])
    matrix[:3, 3] = values[:3]
    return int(time_ns.to_integral_value()), RigidTransform("world", camera, matrix)
