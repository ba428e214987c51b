"""Numba kernel of the mesh stage."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def label_pieces(triangles: NDArray[Any], vertex_count: int) -> NDArray[Any]:
    """Return for each vertex the smallest vertex that triangles connect it to, int32 (N,).

    Union-find with path halving; ``triangles`` is int32 (M, 3). The smaller root always wins, so
    that the labels do not depend on the order of the triangles.
    """
    parent = np.arange(vertex_count).astype(np.int32)
    for row in range(triangles.shape[0]):
        for corner in range(1, 3):
            a, b = triangles[row, 0], triangles[row, corner]
            while parent[a] != a:
                parent[a] = parent[parent[a]]
                a = parent[a]
            while parent[b] != b:
                parent[b] = parent[parent[b]]
                b = parent[b]
            if a < b:
                parent[b] = a
            else:
                parent[a] = b
    # A parent is never larger than its child, so one pass from below reaches every root.
    for vertex in range(vertex_count):
        parent[vertex] = parent[parent[vertex]]
    return parent
