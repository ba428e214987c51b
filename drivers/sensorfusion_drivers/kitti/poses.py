"""Where the car was: odometry's pose files, and the GPS and IMU records of raw drives."""

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import CalibrationError, CorruptRecordingError
from sensorfusion.formats.read_file import read_whole
from sensorfusion.transform import RigidTransform, rotation_from_vector

WORLD = "world"
_EARTH_RADIUS_M = 6_378_137.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_pose_rows(path: Path, source: str, numbers: list[int]) -> dict[int, RigidTransform]:
    """Read an odometry sequence's poses: row N is the 3x4 matrix of scan N.

    Parameters
    ----------
    path : Path
    source : str
        Coordinate system that the poses take to the world of the first.
    numbers : list of int
        Those wanted; numbers beyond the last row have no pose.

    Raises
    ------
    CorruptRecordingError
        If a row is not twelve numbers.
    CalibrationError
        If one is no rigid transform.
    """
    rows = _rows(path, "twelve numbers in each line")
    found = {}
    for number in numbers:
        if number < len(rows):
            offset, words = rows[number]
            values = _numbers(words, 12, 12, path, offset)
            matrix = np.vstack([np.array(values).reshape(3, 4), (0.0, 0.0, 0.0, 1.0)])
            try:
                found[number] = RigidTransform.nearest(WORLD, source, matrix)
            except CalibrationError as error:
                msg = f"{path}: line {number + 1}: {error}; mend this line"
                raise CalibrationError(msg) from error
    return found


def read_oxts(paths: dict[int, Path], source: str) -> dict[int, RigidTransform]:
    """Read GPS and IMU records as ``T_world_imu``: x east, y north, z up, from the first record.

    Latitude and longitude become metres by the Mercator projection, with the scale of the first
    record's latitude; roll, pitch and yaw turn about x, y and z, in this order.

    Parameters
    ----------
    paths : dict of int to Path
        Records by number.
    source : str
        Name of the IMU.

    Raises
    ------
    CorruptRecordingError
        If a record does not begin with six numbers, latitude to yaw.

    References
    ----------
    Geiger, Lenz, Stiller and Urtasun, "Vision meets robotics: the KITTI dataset", IJRR 2013,
    section III (OXTS records); the Mercator projection with one scale is the dataset's own.
    """
    records = {}
    for number, path in paths.items():
        words = read_whole(path, "a GPS and IMU record").split()
        records[number] = _numbers(words, 6, len(words), path, 0)[:6]
        if abs(records[number][0]) >= 89.0:
            _refuse(path, 0, f"latitude {records[number][0]:g}", "degrees, between -89 and 89")
    if not records:
        return {}
    first = next(iter(records.values()))
    scale = math.cos(math.radians(first[0]))
    origin_m = _mercator(first, scale)
    poses = {}
    for number, record in records.items():
        matrix = np.eye(4)
        roll, pitch, yaw = (rotation_from_vector(turn) for turn in np.diag(record[3:]))
        matrix[:3, :3] = yaw @ pitch @ roll
        matrix[:3, 3] = _mercator(record, scale) - origin_m
        poses[number] = RigidTransform(WORLD, source, matrix)
    return poses


def read_seconds(path: Path) -> dict[int, int]:
    """Read an odometry sequence's ``times.txt``: seconds in each line.

    Returns
    -------
    dict of int to int
        Nanoseconds by number.

    Raises
    ------
    CorruptRecordingError
        If a line is not one number, 0 or more.
    """
    times = {}
    for number, (offset, words) in enumerate(_rows(path, "seconds in each line")):
        if words:
            seconds = _numbers(words, 1, 1, path, offset)[0]
            if not 0 <= seconds < 9e9:
                _refuse(path, offset, f"{seconds:g} seconds", "seconds, 0 or more")
            times[number] = round(seconds * 1e9)
    return times


def read_instants(path: Path) -> dict[int, int]:
    """Read a raw drive's ``timestamps.txt``: ``2011-09-26 13:02:25.964389445``, taken as UTC.

    Returns
    -------
    dict of int to int
        Nanoseconds since 1970 by number; a line may be empty where a file is missing.

    Raises
    ------
    CorruptRecordingError
        If a line is another.
    """
    times = {}
    for number, (offset, words) in enumerate(_rows(path, "a date and a time in each line")):
        if not words:
            continue
        text = b" ".join(words).decode(errors="replace")
        whole, _, fraction = text.partition(".")
        try:
            seconds = datetime.strptime(whole, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) - _EPOCH
            nanoseconds = int(fraction[:9].ljust(9, "0"))
        except ValueError:
            _refuse(path, offset, repr(text[:60]), "a date and a time, 2011-09-26 13:02:25.964389")
        times[number] = (seconds.days * 86_400 + seconds.seconds) * 1_000_000_000 + nanoseconds
    return times


def _mercator(record: tuple[float, ...], scale: float) -> NDArray[np.float64]:
    latitude, longitude, altitude_m = record[:3]
    radius_m = scale * _EARTH_RADIUS_M
    north = math.log(math.tan(math.radians(90.0 + latitude) / 2.0))
    return np.array([radius_m * math.radians(longitude), radius_m * north, altitude_m])


def _rows(path: Path, expected: str) -> list[tuple[int, list[bytes]]]:
    """Return (byte offset, words) of each line, empty ones included but not behind the last."""
    rows = []
    offset = 0
    for line in read_whole(path, expected).rstrip().split(b"\n"):
        rows.append((offset, line.split()))
        offset += len(line) + 1
    return rows


def _numbers(
    words: list[bytes], least: int, most: int, path: Path, offset: int
) -> tuple[float, ...]:
    try:
        values = tuple(map(float, words))
    except ValueError:
        values = (math.nan,)
    if not (least <= len(values) <= most) or not all(map(math.isfinite, values)):
        found = b" ".join(words)[:60].decode(errors="replace")
        _refuse(path, offset, repr(found), f"{least} finite numbers")
    return values


def _refuse(path: Path, offset: int, found: str, expected: str) -> NoReturn:
    raise CorruptRecordingError(path, offset, found, expected, "mend or remove this file")
