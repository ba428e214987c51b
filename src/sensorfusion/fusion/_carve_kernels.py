"""Numba kernel that takes out of the volume what beams went through."""

from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from sensorfusion.fusion._kernels import VOXELS

Array = NDArray[Any]
F32 = np.float32

_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(parallel=True, **_OPTIONS)
def forget(
    passes: Array,
    observations: Array,
    fewest: int,
    ratio: float,
    tsdf: Array,
    weight: Array,
    color: Array,
) -> int:
    """Make voxels unseen that were passed too often; return how many.

    ``passes``, ``observations`` and ``weight`` uint16, ``tsdf`` float32 (capacity, 512), ``color``
    uint16 (capacity, 1536).
    """
    forgotten = 0
    for block in prange(passes.shape[0]):
        for i in range(VOXELS):
            passed = np.int32(passes[block, i])
            if not tsdf[block, i] < F32(0) or passed < fewest:
                continue
            if F32(passed) > F32(ratio) * F32(np.int32(observations[block, i])):
                tsdf[block, i] = F32(0)
                weight[block, i] = np.uint16(0)
                observations[block, i] = np.uint16(0)
                for c in range(3):
                    color[block, 3 * i + c] = np.uint16(0)
                forgotten += 1
    return forgotten
