"""How the depth pictures of a folder are meant, and whether that can be."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.depth_map import DepthKind, RawDepth
from sensorfusion.errors import DepthScaleError, DriverError
from sensorfusion.formats.depth_encodings import (
    UNIT_M,
    DepthValues,
    EncodingName,
    decode,
    nyu_disparity,
    sun_millimetres,
)

_PIXELS_JUDGED = 100_000
_FEWEST_PIXELS = 1000
# A picture that says no more than this many depths is one of a test, and no sensor's.
_FEWEST_LEVELS = 16
# The Kinect's disparities from 0.4 m on; 2047 is its "none".
_DISPARITIES = (200, 2048)
_SATURATED = 65535
# Numbers whose low three bits are clear: all of SUN's below 8.2 m, an eighth of any others. Where
# a user says that they are SUN's, half of a picture may be farther.
_SUN_SHARE = 0.9
_FEWEST_SUN = 0.5
_NYU_SHARE = 0.99
# Cameras for rooms: the middle of a picture, its ends, and how much of it has depth.
_ROOM_M = (0.5, 4.5)
_ROOM_NEAR_M = 0.35
_ROOM_FAR_M = 8.0
_ROOM_FILL = 0.3
# A street from a car: the same, and how many times nearer its near end is.
_STREET_M = (4.0, 40.0)
_STREET_FAR_M = 20.0
_STREET_SPREAD = 4.0
_SUGGESTED: Final[tuple[EncodingName, ...]] = ("mm", "tum", "void", "kitti")


@dataclass(frozen=True, slots=True)
class DepthEncoding:
    """How the depth pictures are meant.

    Attributes
    ----------
    name : str or None
        Encoding that the user named; None for plain numbers in units of ``unit_m``.
    unit_m : float or None
        Metres per unit; None where nobody says it.
    kind : {"z", "range"}
    near : bool
        Whether the camera is made for less than half a metre.
    stated : bool
        Whether the user or a file said ``unit_m``; else it is that of the layout, whose document
        speaks of whole numbers only.
    """

    name: EncodingName | None
    unit_m: float | None
    kind: DepthKind
    near: bool = False
    stated: bool = True

    def read(self, values: DepthValues, camera: Camera, timestamp_ns: int, path: Path) -> RawDepth:
        """Return what a picture measured.

        Parameters
        ----------
        values : ndarray of uint16 or float32, shape (H, W)
            As the file holds them.
        camera : Camera
        timestamp_ns : int
        path : Path
            Named in errors.

        Raises
        ------
        DepthScaleError
            If whole numbers are said to be metres, or floats bits, or nobody says their unit.
        """
        if self.name is not None:
            decoded = decode(values, self.name, path)
            return RawDepth(decoded, UNIT_M[self.name], camera, timestamp_ns, self.kind)
        if self.unit_m is None or not (self.stated or values.dtype == np.uint16):
            raise _without_unit(values.dtype, path)
        return RawDepth(values, self.unit_m, camera, timestamp_ns, self.kind)


def chosen_encoding(name: EncodingName | None, depth_unit_m: float | None) -> None:
    """Refuse options that contradict each other or say nothing.

    Raises
    ------
    DriverError
        If both are given, or the unit is not between 0 and 1.
    """
    if depth_unit_m is None:
        return
    if name is not None:
        msg = f"encoding={name} says the unit of depth already; leave out depth-unit-m, or it"
        raise DriverError(msg)
    if not 0 < depth_unit_m <= 1:
        msg = (
            f"depth-unit-m is {depth_unit_m:g}; expected metres per unit, more than 0 and at "
            "most 1 (0.001 for millimetres)"
        )
        raise DriverError(msg)


def judge(pictures: Sequence[DepthValues], encoding: DepthEncoding, path: Path) -> tuple[str, ...]:
    """Say what is doubtful about depth pictures under an encoding.

    NYU and SUN are known by their bits. A wrong scale shows only in what is plausible: where a
    room's depth lies (0.5 to 4.5 m in the middle, hardly under 0.35 m or over 8 m, in
    most pixels), or a street's.

    Parameters
    ----------
    pictures : sequence of ndarray of uint16 or float32
        Some pictures of the recording, as the files hold them.
    encoding : DepthEncoding
    path : Path
        Of the first one, named in messages.

    Returns
    -------
    tuple of str
        Sentences; none where nothing is doubtful.

    Raises
    ------
    DepthScaleError
        If the bits are none of the encoding's, or nobody says the unit.
    """
    if not pictures:
        return ()
    if any(values.dtype != np.uint16 for values in pictures):
        if encoding.name is not None:
            decode(pictures[0], encoding.name, path)
        return ()
    raw, fill = _some(pictures)
    if encoding.unit_m is None and encoding.name is None:
        raise _without_unit(raw.dtype, path, _hint(_likely(raw, fill), raw))
    if encoding.name == "metres":
        msg = f"{path}: whole numbers, and no float metres; {_hint(_likely(raw, fill), raw)}"
        raise DepthScaleError(msg)
    if raw.size < _FEWEST_PIXELS or np.unique(raw).size < _FEWEST_LEVELS:
        return ()
    bits = _by_bits(raw)
    if (encoding.name == "nyu" and bits != "nyu") or (encoding.name == "sun" and not _rotated(raw)):
        msg = (
            f"{path}: its numbers are none of encoding {encoding.name}, "
            f"{_expected_bits(encoding.name)}; {_hint(_likely(raw, fill), raw)}"
        )
        raise DepthScaleError(msg)
    if bits == "nyu" != encoding.name:
        msg = f"{path}: its numbers are 11-bit disparities, bytes swapped; {_hint(['nyu'], raw)}"
        raise DepthScaleError(msg)
    return _doubts(raw, fill, encoding, bits, path)


def _doubts(
    raw: NDArray[np.uint16],
    fill: float,
    encoding: DepthEncoding,
    bits: EncodingName | None,
    path: Path,
) -> tuple[str, ...]:
    metres = _metres(raw, encoding)
    doubt = _implausible(metres, fill, encoding)
    others = _likely(raw, fill)
    if not doubt and bits in (None, encoding.name):
        return ()
    if not doubt:
        doubt = "all but few of its numbers are multiples of 8"
        rotated_m = float(np.median(sun_millimetres(raw))) * UNIT_M["sun"]
        if not _ROOM_M[0] <= rotated_m <= _ROOM_M[1]:
            return ()
    meant = f"encoding {encoding.name}" if encoding.name else f"a unit of {encoding.unit_m:g} m"
    return (f"{path.name} is doubtful under {meant}: {doubt}; {_hint(others, raw)}",)


def _some(pictures: Sequence[DepthValues]) -> tuple[NDArray[np.uint16], float]:
    """Return numbers of pixels with depth, some of all pictures, and the share of such pixels."""
    step = max(1, sum(values.size for values in pictures) // _PIXELS_JUDGED)
    some = np.concatenate([values.reshape(-1)[::step] for values in pictures])
    known = (some > 0) & (some < _SATURATED)
    return some[known].astype(np.uint16), float(known.mean())


def _by_bits(raw: NDArray[np.uint16]) -> EncodingName | None:
    """Return the encoding that bits alone give away."""
    disparity = nyu_disparity(raw)
    if ((disparity >= _DISPARITIES[0]) & (disparity < _DISPARITIES[1])).mean() >= _NYU_SHARE:
        return "nyu"
    return "sun" if _rotated(raw, _SUN_SHARE) else None


def _rotated(raw: NDArray[np.uint16], share: float = _FEWEST_SUN) -> bool:
    """Tell whether so many numbers may have their bits rotated by three."""
    return bool((raw % 8 == 0).mean() >= share)


def _expected_bits(name: EncodingName) -> str:
    if name == "nyu":
        return "which are disparities below 2048 once their bytes are swapped"
    return "of which nearly all are multiples of 8, as their bits are rotated by three"


def _likely(raw: NDArray[np.uint16], fill: float) -> list[EncodingName]:
    """Return the encoding that bits give away, else those under which depth is plausible."""
    bits = _by_bits(raw)
    if bits:
        return [bits]
    return [
        name
        for name in _SUGGESTED
        if not _implausible(
            _metres(raw, DepthEncoding(name, None, "z")), fill, DepthEncoding(name, None, "z")
        )
    ]


def _metres(raw: NDArray[np.uint16], encoding: DepthEncoding) -> NDArray[np.float64]:
    if encoding.name is None:
        return np.asarray(raw * float(encoding.unit_m or 0.0), np.float64)
    metres = decode(raw, encoding.name, "") * UNIT_M[encoding.name]
    return np.asarray(metres[metres > 0], np.float64)


def _implausible(metres: NDArray[np.float64], fill: float, encoding: DepthEncoding) -> str:
    """Return why depth is not what such cameras see, or an empty text."""
    if not metres.size:
        return "no pixel has depth"
    p5, p50, p95 = (float(value) for value in np.percentile(metres, (5, 50, 95)))
    if encoding.name == "kitti":
        seen = f"5 % below {p5:.3g} m, median {p50:.3g} m, 95 % below {p95:.3g} m"
        street = _STREET_M[0] <= p50 <= _STREET_M[1] and p95 >= _STREET_FAR_M
        return "" if street and p95 >= _STREET_SPREAD * p5 else f"{seen} are no street's depths"
    if (p50 < _ROOM_M[0] or p5 < _ROOM_NEAR_M) and not encoding.near:
        return f"5 % below {p5:.3g} m, median {p50:.3g} m, nearer than most depth cameras measure"
    if p50 > _ROOM_M[1] or p95 > _ROOM_FAR_M:
        return f"median {p50:.3g} m, 95 % below {p95:.3g} m, farther than depth cameras see well"
    if fill < _ROOM_FILL and encoding.name != "void":
        return f"only {fill:.0%} of its pixels have depth, as if a LiDAR had measured it"
    return ""


def _hint(names: Sequence[EncodingName], raw: NDArray[np.uint16]) -> str:
    """Return which encoding would do."""
    if not names or not raw.size:
        return "no known encoding fits better; check how it was written"
    middles = []
    for name in names:
        metres = _metres(raw, DepthEncoding(name, None, "z"))
        # All of a Kinect's depth may be nearer than NYU's formula holds.
        median = f" (median {np.median(metres):.3g} m)" if metres.size else ""
        middles.append(f"{name}{median}")
    return f"it looks like {' or '.join(middles)}: try -o encoding={names[0]}"


def _without_unit(dtype: np.dtype[np.generic], path: Path, hint: str = "") -> DepthScaleError:
    advice = hint or (
        "give -o encoding=NAME (metres or mm for floats), or -o depth-unit-m=METRES per unit"
    )
    return DepthScaleError(f"{path}: {dtype} numbers, whose unit nobody says; {advice}")
