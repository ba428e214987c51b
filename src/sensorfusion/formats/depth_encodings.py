"""Depth as data sets store it: the names of their encodings, and what each does to a number.

References
----------
NYU: Silberman et al., "Indoor segmentation and support inference from RGBD images", ECCV 2012, and
its toolbox (``swapbytes``, ``depth_rel2depth_abs``, ``camera_params``). SUN: Song et al., "SUN
RGB-D", CVPR 2015, and Xiao et al., "SUN3D", ICCV 2013, with their toolboxes (``depthRead``).
TUM: Sturm et al., IROS 2012. KITTI: Uhrig et al., "Sparsity invariant CNNs", 3DV 2017. VOID: Wong
et al., "Unsupervised depth completion from visual inertial odometry", RA-L 2020. ScanNet: Dai et
al., CVPR 2017. Redwood: Choi et al., 2016.
"""

from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from sensorfusion.errors import DepthScaleError

DepthValues = NDArray[np.uint16] | NDArray[np.float32]

EncodingName = Literal["nyu", "sun", "tum", "kitti", "void", "scannet", "redwood", "mm", "metres"]
"""How the numbers of a depth picture are meant: NYU's raw Kinect disparity with swapped bytes;
SUN RGB-D's millimetres with rotated bits; TUM's 1/5000 m; KITTI's and VOID's 1/256 m; millimetres,
as ScanNet and Redwood have them, too; or float metres."""

UNIT_M: Final[dict[EncodingName, float]] = {
    "nyu": 1.0,
    "sun": 0.001,
    "tum": 1.0 / 5000.0,
    "kitti": 1.0 / 256.0,
    "void": 1.0 / 256.0,
    "scannet": 0.001,
    "redwood": 0.001,
    "mm": 0.001,
    "metres": 1.0,
}
"""Metres per unit of what :func:`decode` returns."""

# Of the toolbox: depth = 351.3 / (1092.5 - disparity); below 600 the Kinect gives no depth, and
# beyond 10 m one step of disparity is more than 30 cm.
_NYU_METRES_TIMES_STEPS = 351.3
_NYU_INFINITY = 1092.5
_NYU_SMALLEST = 600
_NYU_FARTHEST_M = 10.0
_SUN_BITS = 3


def decode(values: DepthValues, encoding: EncodingName, path: Path | str) -> DepthValues:
    """Return the numbers of a picture in units of ``UNIT_M[encoding]``.

    Parameters
    ----------
    values : ndarray of uint16 or float32, shape (H, W)
        As the file holds them.
    encoding : str
    path : Path or str
        Named in errors.

    Returns
    -------
    ndarray of uint16 or float32, shape (H, W)
        0 where the encoding says that there is no depth: of NYU, disparities under 600 and those
        beyond 10 m (2047 is the Kinect's own "none").

    Raises
    ------
    DepthScaleError
        If whole numbers are said to be metres, or floats to be bits.
    """
    whole = values.dtype == np.uint16
    if (encoding == "metres" and whole) or (encoding in ("nyu", "sun") and not whole):
        wanted = "float" if encoding == "metres" else "16-bit unsigned"
        msg = (
            f"{path}: {values.dtype} numbers; encoding {encoding} means {wanted} ones; give the "
            "encoding that the picture was written in"
        )
        raise DepthScaleError(msg)
    if encoding == "nyu":
        return _nyu_metres(nyu_disparity(values))
    if encoding == "sun":
        return sun_millimetres(values)
    return values


def nyu_disparity(values: DepthValues) -> NDArray[np.uint16]:
    """Return the Kinect's disparity, 0 to 2047, of numbers whose bytes are swapped."""
    return values.astype(np.uint16).byteswap()


def sun_millimetres(values: DepthValues) -> NDArray[np.uint16]:
    """Return millimetres of numbers whose bits are rotated to the left by three."""
    bits = values.astype(np.uint16)
    return np.asarray((bits >> _SUN_BITS) | (bits << (16 - _SUN_BITS)), np.uint16)


def _nyu_metres(disparity: NDArray[np.uint16]) -> NDArray[np.float32]:
    farthest = _NYU_INFINITY - _NYU_METRES_TIMES_STEPS / _NYU_FARTHEST_M
    known = (disparity >= _NYU_SMALLEST) & (disparity <= farthest)
    steps = np.where(known, _NYU_INFINITY - disparity.astype(np.float64), np.inf)
    return (_NYU_METRES_TIMES_STEPS / steps).astype(np.float32)
