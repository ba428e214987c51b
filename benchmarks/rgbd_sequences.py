"""What the RGB-D benchmarks run on: sequences, their frames outside of any clock, their truth."""

import itertools
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensorfusion.frame import Frame, Sample
from sensorfusion.image import Image
from sensorfusion.sources.driver import FrameSource, SeekableFrameSource
from sensorfusion.sources.prefetch import prefetch
from sensorfusion.sources.registry import open_source, read_truth
from sensorfusion.trajectory import Trajectory
from sensorfusion.triangle_mesh import TriangleMesh

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("SENSORFUSION_DATA", ROOT.parent / "shared" / "data"))
NOISES = ("kinect", "d435")
SEEDS = (0, 1, 2)
SPEEDS = (1, 1.5, 2.5)
SYNTHETIC_FRAMES = 200
REFERENCE_VOXEL_M = 0.005
_REFERENCE_STRIDE = 2


@dataclass(frozen=True, slots=True)
class Sequence:
    """A sequence and the voxel size that it is run at.

    Attributes
    ----------
    name : str
    location : str
    options : mapping of str to str
        Of the driver.
    voxel_size_m : float
    frames : int
        Only the first so many; 0 takes all.
    """

    name: str
    location: str
    options: Mapping[str, str]
    voxel_size_m: float
    frames: int = 0

    @property
    def is_synthetic(self) -> bool:
        """Tell whether the truth is exact and frames have to be rendered."""
        return self.location.startswith("synthetic:")

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def all_sequences() -> list[Sequence]:
    """Return all sequences: the real one at two voxel sizes, then 18 simulated ones."""
    real = str(DATA / "rgbd-7scenes")
    found = [Sequence("rgbd-7scenes", real, {}, size_m) for size_m in (0.01, 0.0058)]
    for noise, seed, speed in itertools.product(NOISES, SEEDS, SPEEDS):
        options = {"noise": noise, "seed": str(seed), "speed": str(speed)}
        options["frames"] = str(SYNTHETIC_FRAMES)
        name = f"{noise}-room{seed}-speed{speed:g}"
        found.append(Sequence(name, "synthetic:room", options, 0.01))
    return found


def chosen(names: list[str], voxel_size_m: float | None, frames: int) -> list[Sequence]:
    """Return the sequences that are called so, or whose names begin so up to a dash, or all."""
    every = all_sequences()

    def is_called(one: Sequence, name: str) -> bool:
        return f"{one.name}-".startswith(f"{name}-")

    unknown = [name for name in names if not any(is_called(one, name) for one in every)]
    if unknown:
        known = ", ".join(dict.fromkeys(one.name for one in every))
        msg = f"no sequence begins with {', '.join(unknown)}; there are {known}"
        raise SystemExit(msg)
    found = [one for one in every if not names or any(is_called(one, name) for name in names)]
    if voxel_size_m is not None:
        found = list({one.name: replace(one, voxel_size_m=voxel_size_m) for one in found}.values())
    if frames:
        found = [_shortened(one, frames) for one in found]
    return found


def _shortened(sequence: Sequence, frames: int) -> Sequence:
    if not sequence.is_synthetic:
        return replace(sequence, frames=frames)
    return replace(sequence, options={**sequence.options, "frames": str(frames)})


class PlayedSource(SeekableFrameSource):
    """The first frames of a source, from files where they were rendered; notes the first read.

    Parameters
    ----------
    source : FrameSource
    frames : int
        Only the first so many; 0 takes all.
    cache : Path or None
        Where :func:`render` put the arrays of the frames.
    """

    def __init__(self, source: FrameSource, frames: int = 0, cache: Path | None = None) -> None:
        if not isinstance(source, SeekableFrameSource):
            msg = f"{type(source).__name__} cannot be read by index, so it cannot be played again"
            raise SystemExit(msg)
        self._source, self._cache = source, cache
        self._count = min(frames, len(source)) if frames else len(source)
        self.rig, self.trajectory = source.rig, source.trajectory
        self.down_world, self.losses = source.down_world, source.losses
        self.metadata, self.notes = source.metadata, source.notes
        self.first_read_s: float | None = None
        # What is no array is the same in every frame but for the time.
        self._like = source[0] if cache else None

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever else the source offers
        return getattr(self._source, name)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Frame:
        if self.first_read_s is None:
            self.first_read_s = time.perf_counter()
        if self._cache is None or self._like is None:
            return self._source[index]
        return _load(self._cache, index, self._like)

    def samples(self) -> Iterator[Sample]:
        """Yield what the source yields."""
        return self._source.samples()

    def close(self) -> None:
        """Close the source."""
        self._source.close()


def render(sequence: Sequence, cache: Path) -> None:
    """Write the arrays of every frame of a simulated sequence, so that no clock sees rendering."""
    with open_source(sequence.location, options=sequence.options) as source:
        for frame in prefetch(source):
            np.save(cache / f"{frame.index}.time.npy", np.int64(frame.timestamp_ns))
            for key, array in _arrays(frame.measurement).items():
                np.save(cache / f"{frame.index}.{key}.npy", array)
            for name, image in frame.images.items():
                np.save(cache / f"{frame.index}.{name}.image.npy", image.pixels)


def _arrays(measurement: object) -> dict[str, NDArray[Any]]:
    parts = {field.name: getattr(measurement, field.name) for field in fields(measurement)}  # type: ignore[arg-type]
    return {name: value for name, value in parts.items() if isinstance(value, np.ndarray)}


def _load(cache: Path, index: int, like: Frame) -> Frame:
    timestamp_ns = int(np.load(cache / f"{index}.time.npy"))
    arrays = {name: np.load(cache / f"{index}.{name}.npy") for name in _arrays(like.measurement)}
    images = {
        name: Image(np.load(cache / f"{index}.{name}.image.npy"), name, timestamp_ns)
        for name in like.images
    }
    measurement = replace(like.measurement, timestamp_ns=timestamp_ns, **arrays)
    return replace(
        like, index=index, timestamp_ns=timestamp_ns, measurement=measurement, images=images
    )


def truth_of(sequence: Sequence) -> tuple[Trajectory, TriangleMesh]:
    """Return the true poses of the frames and the surface to compare with.

    Simulated: exact. Recorded: the poses that came with the recording, and a mesh that Open3D
    fuses with them at 5 mm from every second frame; both are good to about 15 mm only.
    """
    truth = read_truth(sequence.location, options=sequence.options)
    if truth.trajectory is None:
        msg = f"{sequence.name}: holds no true poses, so nothing can be measured"
        raise SystemExit(msg)
    if truth.mesh is not None:
        return truth.trajectory, truth.mesh
    with open_source(sequence.location, options=sequence.options) as source:
        played = PlayedSource(source, sequence.frames)
        mesh = _reference_mesh(played, truth.trajectory)
    stamps = truth.trajectory.timestamps_ns[: len(played)].tolist()
    return Trajectory(stamps, truth.trajectory.poses[: len(played)]), mesh


def _reference_mesh(source: PlayedSource, poses: Trajectory) -> TriangleMesh:
    import open3d as o3d
    from rgbd_peers import as_mesh, fuse, new_grid, prepare

    grid = new_grid(REFERENCE_VOXEL_M, 16)
    truncation_voxels = 8.0
    for index in range(0, len(source), _REFERENCE_STRIDE):
        frame = source[index]
        pose = poses.at(frame.timestamp_ns)
        if pose is not None:
            T_camera_world = o3d.core.Tensor(pose.inverse().matrix)
            fuse(grid, prepare(frame, source.rig), T_camera_world, truncation_voxels)
    return as_mesh(grid.extract_triangle_mesh(weight_threshold=3.0))
