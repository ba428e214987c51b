"""Any recording of a depth sensor to absolute depth in metres and a coloured mesh."""

import os

# Open3D ships an older TBB than numba wants, and numba's own work queue aborts when two threads
# enter it.
os.environ.setdefault("NUMBA_THREADING_LAYER", "omp")
