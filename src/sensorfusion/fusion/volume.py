"""The volume: signed distance, weight and colour in Open3D's VoxelBlockGrid.

This module alone makes numpy views of the grid's buffers; Open3D owns them.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from numpy.typing import NDArray

from sensorfusion._kernels import EMPTY, insert_all, look_up, pack_all, unpack
from sensorfusion.errors import ConfigError
from sensorfusion.fusion._kernels import UNIT_WEIGHT_M

if TYPE_CHECKING:
    import open3d as o3d

BLOCK_VOXELS = 8
_FIRST_CAPACITY = 4096
_GROWTH = 1.6
_COPIED_AT_ONCE = 1024


@dataclass(slots=True, eq=False)
class BlockViews:
    """Zero-copy views of the volume's buffers, void as soon as the volume has grown.

    Attributes
    ----------
    keys, indices : ndarray of int64 and int32, shape (power of two,)
        Open-addressing table from packed block coordinate to row of the buffers.
    tsdf : ndarray of float32, shape (capacity, 512)
        Signed distance in units of the truncation, x fastest.
    weight : ndarray of uint16, shape (capacity, 512)
        0 = never seen; a measurement with a standard deviation of ``unit_weight_m`` weighs 1.
    observations : ndarray of uint16, shape (capacity, 512)
        Frames that measured a surface within the truncation of the voxel.
    color : ndarray of uint16, shape (capacity, 1536)
        Red, green, blue in 1/256 grey level, so that averaging many frames does not round; 0 =
        none yet.
    passes : ndarray of uint16, shape (capacity, 512)
        Scans of which a beam went through the voxel.
    voxel_size_m, truncation_m, unit_weight_m : float
    """

    keys: NDArray[np.int64]
    indices: NDArray[np.int32]
    tsdf: NDArray[np.float32]
    weight: NDArray[np.uint16]
    observations: NDArray[np.uint16]
    color: NDArray[np.uint16]
    passes: NDArray[np.uint16]
    voxel_size_m: float
    truncation_m: float
    unit_weight_m: float = UNIT_WEIGHT_M

    def void(self) -> None:
        """Let go of the arrays: their memory is no longer the volume's."""
        del self.keys, self.indices, self.tsdf, self.weight
        del self.observations, self.color, self.passes

    def __getattr__(self, name: str) -> NoReturn:
        """Say what is wrong where a void view is read."""
        if name not in BlockViews.__slots__:
            raise AttributeError(name)
        msg = f"views.{name} is void: the volume has grown since; take volume.views again"
        raise RuntimeError(msg)


class Volume:
    """A truncated signed distance field that grows with what is fused into it.

    Parameters
    ----------
    voxel_size_m : float
        Edge of a voxel. The sample of voxel (i, j, k) lies at (i, j, k) * voxel_size_m, world.
    truncation_m : float
        Distance beyond which space counts as empty.
    device : str
        Where the buffers live.
    own_kernels : bool
        Fuse with this package's kernels, which work on views of the buffers; Open3D's kernels
        are used without, and always on CUDA.
    with_color : bool
        Keep colours and how many frames measured each voxel; a volume to track against does
        without, in half of the memory.
    with_passes : bool
        Keep how many scans saw through each voxel, which tells what moves from what stands still.

    Raises
    ------
    ConfigError
        If this machine has no such device.

    References
    ----------
    Curless and Levoy, "A volumetric method for building complex models from range images", 1996;
    Niessner et al., "Real-time 3D reconstruction at scale using voxel hashing", 2013; Dong et
    al., "ASH: a modern framework for parallel spatial hashing in 3D perception", 2022.
    """

    def __init__(
        self,
        voxel_size_m: float,
        truncation_m: float,
        device: str = "CPU:0",
        *,
        own_kernels: bool = True,
        with_color: bool = True,
        with_passes: bool = False,
    ) -> None:
        import open3d as o3d

        core = o3d.core
        _check_device(device)
        self.voxel_size_m = voxel_size_m
        self.truncation_m = truncation_m
        self.device = core.Device(device)
        self.own_kernels = own_kernels and device.startswith("CPU")
        self._attributes = ("tsdf", "weight", *(("color", "observations") if with_color else ()))
        self._attributes += ("passes",) if with_passes else ()
        self.grid = self._new_grid(_FIRST_CAPACITY)
        self._keys: NDArray[np.int64] = np.full(8 * _FIRST_CAPACITY, EMPTY)
        self._indices = np.zeros(8 * _FIRST_CAPACITY, np.int32)
        self._count = 0
        self._views: BlockViews | None = None

    def __len__(self) -> int:
        """Return the number of blocks."""
        return self._count if self.own_kernels else int(self.grid.hashmap().size())

    @property
    def block_size_m(self) -> float:
        """Return the edge of a block in metres."""
        return BLOCK_VOXELS * self.voxel_size_m

    def weight_of(self, sigma_m: float) -> float:
        """Return the weight of what is certain to one standard deviation, metres.

        Open3D's kernels do not weigh, but count frames: there it is that of three.
        """
        return (UNIT_WEIGHT_M / sigma_m) ** 2 if self.own_kernels else 3.0

    def rows_of(self, keys: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the buffer rows of blocks, making those that do not exist yet.

        Every view taken before may be void after this call: take :attr:`views` again.

        Parameters
        ----------
        keys : ndarray of int64, shape (N,)
            Packed block coordinates, each once.

        Returns
        -------
        ndarray of int32, shape (N,)
        """
        rows = look_up(self._keys, self._indices, keys)
        missing = keys[rows < 0]
        if missing.size:
            self._make_room(missing.size)
            self._enter(missing, self._activate(missing))
            self._count += missing.size
            rows = look_up(self._keys, self._indices, keys)
        return np.asarray(rows)

    @property
    def views(self) -> BlockViews:
        """Return views of the buffers as they lie now; with own kernels only."""
        if self._views is None:
            capacity = int(self.grid.hashmap().capacity())
            arrays = {
                name: self.grid.attribute(name).numpy().reshape(capacity, -1)
                for name in self._attributes
            }
            nothing = np.zeros((0, BLOCK_VOXELS**3), np.uint16)
            self._views = BlockViews(
                self._keys,
                self._indices,
                arrays["tsdf"],
                arrays["weight"],
                arrays.get("observations", nothing),
                arrays.get("color", nothing),
                arrays.get("passes", nothing),
                self.voxel_size_m,
                self.truncation_m,
            )
        return self._views

    def _make_room(self, extra: int) -> None:
        needed = self._count + extra
        old = self.grid
        if needed <= int(old.hashmap().capacity()):
            return
        if self._views is not None:
            self._views.void()
            self._views = None
        capacity = int(max(needed, _GROWTH * int(old.hashmap().capacity())))
        rows = old.hashmap().active_buf_indices().numpy()
        keys = pack_all(old.hashmap().key_tensor().numpy()[rows])
        # Not reserve(): it holds every block a third time on the way.
        self.grid = self._new_grid(capacity)
        new_rows = self._activate(keys)
        for name in self._attributes:
            source, target = old.attribute(name).numpy(), self.grid.attribute(name).numpy()
            for first in range(0, len(rows), _COPIED_AT_ONCE):
                some = slice(first, first + _COPIED_AT_ONCE)
                target[new_rows[some]] = source[rows[some]]
        size = max(self._keys.size, 1 << int(np.ceil(np.log2(4 * capacity))))
        self._keys = np.full(size, EMPTY)
        self._indices = np.zeros(size, np.int32)
        self._enter(keys, new_rows)

    def _new_grid(self, capacity: int) -> "o3d.t.geometry.VoxelBlockGrid":
        import open3d as o3d

        core = o3d.core
        # Open3D's kernels take float pictures only with float weights and colours.
        small = core.uint16 if self.own_kernels else core.float32
        kinds = {"tsdf": core.float32, "weight": small, "color": small}
        return o3d.t.geometry.VoxelBlockGrid(
            self._attributes,
            tuple(kinds.get(name, core.uint16) for name in self._attributes),
            tuple((3) if name == "color" else (1) for name in self._attributes),
            self.voxel_size_m,
            BLOCK_VOXELS,
            capacity,
            self.device,
        )

    def _activate(self, keys: NDArray[np.int64]) -> NDArray[np.int32]:
        import open3d as o3d

        rows, _ = self.grid.hashmap().activate(o3d.core.Tensor(unpack(keys)))
        return np.asarray(rows.numpy())

    def _enter(self, keys: NDArray[np.int64], rows: NDArray[np.int32]) -> None:
        insert_all(self._keys, self._indices, keys, rows)


def _check_device(name: str) -> None:
    import open3d as o3d

    kind, _, number = name.partition(":")
    count = 1 if kind == "CPU" else o3d.core.cuda.device_count()
    if not number.isdigit() or int(number) >= count:
        msg = f"device {name}: Open3D finds {count} devices of kind {kind} here; use CPU:0"
        raise ConfigError(msg)
