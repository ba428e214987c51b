"""Numba kernels of the mesh stage: no array the size of the triangles but the result."""

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
    parent = np.empty(vertex_count, np.int32)
    for vertex in range(vertex_count):
        parent[vertex] = vertex
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


@njit(cache=True, nogil=True)
def piece_sizes(labels: NDArray[Any], triangles: NDArray[Any]) -> NDArray[Any]:
    """Return how many triangles the piece with each label has, int32 (N,)."""
    sizes = np.zeros(labels.shape[0], np.int32)
    for row in range(triangles.shape[0]):
        sizes[labels[triangles[row, 0]]] += 1
    return sizes


@njit(cache=True, nogil=True)
def renumber(triangles: NDArray[Any], number: NDArray[Any]) -> NDArray[Any]:
    """Return the triangles whose first vertex stays, with new vertex numbers, int32 (K, 3).

    ``number`` int32 (N,) is the new number of each vertex, -1 where it goes; the vertices of a
    triangle stay or go together.
    """
    count = 0
    for row in range(triangles.shape[0]):
        count += number[triangles[row, 0]] >= 0
    found = np.empty((count, 3), np.int32)
    count = 0
    for row in range(triangles.shape[0]):
        if number[triangles[row, 0]] >= 0:
            for corner in range(3):
                found[count, corner] = number[triangles[row, corner]]
            count += 1
    return found
