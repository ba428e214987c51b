"""What an Ouster sensor says about itself: the JSON that belongs to its packets.

Two layouts are in use: flat (up to firmware 2.5 and old clients) and nested in sections (the
sensor's HTTP interface and newer clients). Both hold the same numbers.

References
----------
Ouster, "Software User Manual" (firmware 2.3 and 3.1), "Sensor metadata" and "Lidar intrinsics".
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import CalibrationError, SourceError
from sensorfusion.formats.read_file import read_whole
from sensorfusion.transform import RigidTransform

_SECTIONS: Final = (
    "sensor_info",
    "config_params",
    "beam_intrinsics",
    "lidar_intrinsics",
    "lidar_data_format",
    "data_format",
)
_LARGEST_FILE: Final = 4_000_000
# The manual's tables end at 128 rows, 4096 columns and one packet for each 16 columns.
_MOST_ROWS, _MOST_COLUMNS = 128, 4096


@dataclass(frozen=True, slots=True, eq=False)
class OusterMetadata:
    """Geometry and format of an Ouster sensor.

    Attributes
    ----------
    path : Path
    product, serial : str
        ``OS-1-128``, and its number.
    run : int
        ``initialization_id``, the same from one start of the sensor to the next; -1 if not known.
    profile : str
        Format of its packets, ``udp_profile_lidar``.
    port : int
        UDP port that the packets go to; 0 if not known.
    columns, columns_per_packet : int
        Firings in one revolution, and in one packet.
    window : (int, int)
        First and last column that the sensor sends; the first may be the greater.
    azimuth_rad, altitude_rad : ndarray of float64, shape (rows,)
        Of each channel's beam.
    origin_m : (float, float)
        Where the beams begin: distance from the axis of rotation and height, metres.
    T_sensor_lidar : ndarray of float64, shape (4, 4)
        Metres.
    """

    path: Path
    product: str
    serial: str
    run: int
    profile: str
    port: int
    columns: int
    columns_per_packet: int
    window: tuple[int, int]
    azimuth_rad: NDArray[np.float64]
    altitude_rad: NDArray[np.float64]
    origin_m: tuple[float, float]
    T_sensor_lidar: NDArray[np.float64]

    @property
    def rows(self) -> int:
        """Return the number of channels."""
        return len(self.altitude_rad)

    @property
    def sent_columns(self) -> int:
        """Return the number of columns that the sensor sends of each revolution."""
        first, last = self.window
        return (last - first) % self.columns + 1


def looks_like_metadata(path: Path) -> bool:
    """Say whether a file is an Ouster sensor's JSON; never raises."""
    try:
        if path.stat().st_size > _LARGEST_FILE:
            return False
        return "beam_altitude_angles" in _flat(json.loads(path.read_bytes()))
    except (OSError, ValueError, RecursionError):
        return False


def read_metadata(path: Path) -> OusterMetadata:
    """Read the JSON of an Ouster sensor.

    Raises
    ------
    SourceError
        If the file cannot be read or is no JSON.
    CalibrationError
        If a value is missing or impossible.
    """
    text = read_whole(path, "an Ouster sensor's metadata", at_most=_LARGEST_FILE)
    try:
        values = _flat(json.loads(text))
    except (ValueError, RecursionError) as error:
        msg = f"{path}: is no JSON ({error}); expected the metadata that the sensor gave"
        raise SourceError(msg) from error
    return _Reader(path, values).read()


def _flat(document: object) -> dict[str, Any]:
    """Return the entries of a document and of the sections that matter, sections last."""
    if not isinstance(document, dict):
        return {}
    values = dict(document)
    for section in _SECTIONS:
        entries = document.get(section)
        if isinstance(entries, dict):
            values.update(entries)
    return values


class _Reader:
    def __init__(self, path: Path, values: dict[str, Any]) -> None:
        self._path = path
        self._values = values

    def read(self) -> OusterMetadata:
        azimuth_rad = np.radians(self._numbers("beam_azimuth_angles"))
        altitude_rad = np.radians(self._numbers("beam_altitude_angles"))
        rows = self._integer("pixels_per_column", len(altitude_rad))
        if not 0 < rows == len(azimuth_rad) == len(altitude_rad) <= _MOST_ROWS:
            raise _fault(
                self._path,
                "beam angles",
                f"{len(azimuth_rad)} azimuths and {len(altitude_rad)} altitudes for {rows} rows",
                f"one of each for 1 to {_MOST_ROWS} rows",
            )
        columns = self._columns()
        profile = str(self._values.get("udp_profile_lidar") or "LEGACY")
        per_packet = self._integer("columns_per_packet", 16)
        if not (0 < columns <= _MOST_COLUMNS and 0 < per_packet <= columns):
            raise _fault(
                self._path,
                "columns",
                f"{columns}, {per_packet} in a packet",
                f"1 to {_MOST_COLUMNS}",
            )
        return OusterMetadata(
            path=self._path,
            product=str(self._values.get("prod_line", "Ouster")),
            serial=str(self._values.get("prod_sn", "")),
            run=self._integer("initialization_id", -1),
            profile=profile,
            port=self._integer("udp_port_lidar", 0),
            columns=columns,
            columns_per_packet=per_packet,
            window=self._window(columns),
            azimuth_rad=azimuth_rad,
            altitude_rad=altitude_rad,
            origin_m=self._origin(),
            T_sensor_lidar=self._matrix("lidar_to_sensor_transform"),
        )

    def _columns(self) -> int:
        # Before the format was described, the mode alone told it: "1024x10".
        mode = re.match(r"(\d{1,4})x", str(self._values.get("lidar_mode")))
        return self._integer("columns_per_frame", int(mode[1]) if mode else 0)

    def _window(self, columns: int) -> tuple[int, int]:
        if "column_window" not in self._values:
            return 0, columns - 1
        window = self._numbers("column_window")
        if len(window) != 2 or not all(0 <= side < columns for side in window):
            raise _fault(
                self._path,
                "column_window",
                str(window.tolist()),
                f"two columns of 0 to {columns - 1}",
            )
        return int(window[0]), int(window[1])

    def _origin(self) -> tuple[float, float]:
        """Return where the beams begin: distance from the axis and height, metres."""
        if "beam_to_lidar_transform" in self._values:
            T_lidar_beam = self._matrix("beam_to_lidar_transform")
            return float(T_lidar_beam[0, 3]), float(T_lidar_beam[2, 3])
        return float(self._numbers("lidar_origin_to_beam_origin_mm")[0]) / 1000.0, 0.0

    def _matrix(self, name: str) -> NDArray[np.float64]:
        """Return a transform that stands row by row with its translation in millimetres."""
        numbers = self._numbers(name)
        if numbers.size != 16:
            raise _fault(self._path, name, f"{numbers.size} numbers", "16")
        matrix = numbers.reshape(4, 4)
        matrix[:3, 3] /= 1000.0
        try:
            return RigidTransform.nearest("target", "source", matrix).matrix
        except CalibrationError as error:
            raise _fault(self._path, name, str(error), "a rotation and a translation") from error

    def _numbers(self, name: str) -> NDArray[np.float64]:
        if name not in self._values:
            raise _fault(self._path, name, "nothing", "it, as the sensor gives it")
        try:
            numbers = np.atleast_1d(np.array(self._values[name], dtype=np.float64)).reshape(-1)
        except (TypeError, ValueError, OverflowError) as error:
            raise _fault(self._path, name, repr(self._values[name]), "numbers") from error
        if not (numbers.size and np.isfinite(numbers).all()):
            raise _fault(self._path, name, repr(self._values[name]), "finite numbers")
        return numbers

    def _integer(self, name: str, default: int) -> int:
        value = self._values.get(name, default)
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
            return value
        raise _fault(self._path, name, repr(value), "a whole number")


def _fault(path: Path, name: str, found: str, expected: str) -> CalibrationError:
    msg = (
        f"{path}: {name}: found {found:.120}; expected {expected}; save the metadata of the sensor "
        "that made the recording again"
    )
    return CalibrationError(msg)
