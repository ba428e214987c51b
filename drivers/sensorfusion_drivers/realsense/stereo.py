"""The two infrared cameras of a RealSense recording as a stereo pair."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import UnsupportedRecordingError
from sensorfusion.noise import DepthNoise
from sensorfusion.rig import Rig
from sensorfusion_drivers.realsense.streams import INFRARED, Recording

LEFT: Final = f"{INFRARED}_1"
RIGHT: Final = f"{INFRARED}_2"


def check_pair(recording: Recording) -> None:
    """Refuse a recording whose infrared cameras are no stereo pair.

    Raises
    ------
    UnsupportedRecordingError
        If one of the two is not there, or not a picture, or their sizes differ.
    """
    sizes = {
        name: f"{stream.camera.width}x{stream.camera.height}"
        for name, stream in recording.streams.items()
        if name.startswith(INFRARED)
    }
    if {LEFT, RIGHT} <= sizes.keys() and sizes[LEFT] == sizes[RIGHT]:
        return
    found = " and ".join(f"{name} of {size}" for name, size in sizes.items()) or "no infrared"
    msg = (
        f"{recording.path}: found {found}; -o infrared=pair expects {LEFT} and {RIGHT}, of one "
        "size and with their places recorded; open it without that option"
    )
    raise UnsupportedRecordingError(msg)


def with_noise_of_pair(rig: Rig) -> Rig:
    """Return a rig that knows how noisy depth of the left infrared camera is."""
    baseline_m = float(np.linalg.norm(rig.transform(RIGHT, LEFT).translation_m))
    if not baseline_m:
        return rig
    noise = DepthNoise.stereo(baseline_m, rig.cameras[LEFT].fx)
    return replace(rig, depth_noise={**rig.depth_noise, LEFT: noise})


def taken_at_once(
    recording: Recording, partners: Mapping[str, NDArray[np.int64]], period_ns: float
) -> NDArray[np.bool_]:
    """Tell which frames have both pictures of the pair, at most half a period apart.

    Parameters
    ----------
    recording : Recording
    partners : mapping of str to ndarray of int64, shape (N,)
        Which picture of each camera belongs to a frame, -1 for none.
    period_ns : float
        Time between pictures; 0 when unknown, and then only equal stamps are one instant.

    Returns
    -------
    ndarray of bool, shape (N,)

    Raises
    ------
    UnsupportedRecordingError
        If no frame has.
    """
    left, right = recording.streams[LEFT], recording.streams[RIGHT]
    # Stamps of two clocks cannot be compared; the recorder's own clock is one.
    stamps = [
        s.timestamps_ns if left.clock == right.clock else s.arrivals_ns for s in (left, right)
    ]
    whole = (partners[LEFT] >= 0) & (partners[RIGHT] >= 0)
    first, second = stamps[0][partners[LEFT][whole]], stamps[1][partners[RIGHT][whole]]
    whole[whole] = 2 * np.abs(first - second) <= period_ns
    if not whole.any():
        msg = (
            f"{recording.path}: no frame has pictures of {LEFT} and {RIGHT} of one instant; open "
            "it without -o infrared=pair"
        )
        raise UnsupportedRecordingError(msg)
    return whole
