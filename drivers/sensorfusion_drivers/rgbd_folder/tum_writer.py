"""Write a folder in the layout of TUM: pictures, their lists, poses, intrinsics.

References
----------
Sturm et al., "A benchmark for the evaluation of RGB-D SLAM systems", IROS 2012, and the data
set's page on file formats.
"""

import json
import os
import secrets
import shutil
from collections import Counter
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensorfusion.camera import Camera
from sensorfusion.depth_map import RawDepth
from sensorfusion.errors import OutputError
from sensorfusion.formats.whole_file import sync_folder
from sensorfusion.frame import Sample
from sensorfusion.image import Image
from sensorfusion.sources.driver import FrameSource, SampleWriter
from sensorfusion.transform import quaternion_xyzw_from_rotation

RIG_FILE: Final = "rig.toml"
_UNITS_PER_M: Final = 5000
_NO_DEPTH: Final = 65535
_DEPTH, _COLOR = "depth", "color"
_FOLDERS: Final = {_DEPTH: "depth", _COLOR: "rgb"}


class TumWriter(SampleWriter):
    """A folder of depth and colour pictures, whole once it is closed.

    Parameters
    ----------
    folder : Path
        Must not exist, or be empty.
    source : FrameSource
        Whose samples will come: its rig and its poses are written.

    Attributes
    ----------
    notes : list of str
        What the layout does not hold: other streams, depth beyond 13.1 m; and that colour is not
        registered to depth, where it is not.

    Raises
    ------
    OutputError
        If the folder holds files or cannot be made, or there is no camera "depth".
    """

    def __init__(self, folder: Path, source: FrameSource) -> None:
        self.notes: list[str] = []
        self._folder, self._source = folder, source
        self._lists: dict[str, list[str]] = {_DEPTH: [], _COLOR: []}
        self._left_out: Counter[str] = Counter()
        self._too_far = 0
        self._is_closed = False
        if _DEPTH not in source.rig.cameras:
            names = ", ".join((*source.rig.cameras, *source.rig.lidars)) or "none"
            msg = (
                f"{folder}: sensors {names}; a folder of RGB-D pictures needs 'depth'; write .mcap"
            )
            raise OutputError(msg)
        if not folder.name:
            msg = f"{folder}: a folder that is made anew needs a name; give one"
            raise OutputError(msg)
        self._temporary = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.part")
        try:
            if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
                msg = f"{folder}: exists and is not an empty folder; give another name"
                raise OutputError(msg)
            for name in _FOLDERS.values():
                (self._temporary / name).mkdir(parents=True)
        except OSError as error:
            raise self._unwritten(error) from error

    def write(self, sample: Sample) -> None:
        """Append a sample; what the layout does not hold is counted.

        Raises
        ------
        OutputError
            If depth has a unit that cannot become 1/5000 m exactly, or the disk is full.
        """
        data = sample.data
        if isinstance(data, RawDepth) and data.camera.name == _DEPTH:
            self._save(_DEPTH, sample.timestamp_ns, self._scaled(data))
        elif isinstance(data, Image) and data.camera_name == _COLOR:
            pixels = data.pixels[:, :, ::-1] if data.pixels.ndim == 3 else data.pixels
            self._save(_COLOR, sample.timestamp_ns, pixels)
        else:
            self._left_out[sample.stream] += 1

    def close(self) -> None:
        """Write lists, poses and intrinsics, and give the folder its name."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self._finish()
        except OSError as error:
            raise self._unwritten(error) from error
        finally:
            # After the rename nothing stands there any more.
            shutil.rmtree(self._temporary, ignore_errors=True)
        for stream, count in self._left_out.items():
            self.notes.append(f"left out: {count} samples of {stream}, which this layout lacks")
        if self._too_far:
            self.notes.append(
                f"left out: {self._too_far} pixels of depth beyond 13.1 m, where the layout ends"
            )

    def abandon(self) -> None:
        """Leave nothing behind."""
        self._is_closed = True
        shutil.rmtree(self._temporary, ignore_errors=True)

    def _finish(self) -> None:
        for name, lines in self._lists.items():
            if lines or name == _DEPTH:
                self._write_text(f"{_FOLDERS[name]}.txt", ["# time stamp in s, file", *lines])
            else:
                (self._temporary / _FOLDERS[name]).rmdir()
        self._write_poses()
        self._write_cameras()
        for path in self._temporary.rglob("*"):
            if path.is_file():
                # The name must not outlive a power cut that the pictures do not.
                with path.open("r+b") as file:
                    os.fsync(file.fileno())
        if self._folder.is_dir():
            self._folder.rmdir()
        self._temporary.replace(self._folder)
        sync_folder(self._folder.parent)

    def _scaled(self, depth: RawDepth) -> NDArray[np.uint16]:
        """Return depth in 1/5000 m."""
        factor = round(depth.unit_m * _UNITS_PER_M)
        is_exact = abs(depth.unit_m * _UNITS_PER_M - factor) < 1e-9 * _UNITS_PER_M
        if depth.values.dtype != np.uint16 or depth.kind != "z" or factor < 1 or not is_exact:
            msg = (
                f"{self._folder}: depth as {depth.values.dtype} in {depth.unit_m} m along the "
                f"{depth.kind} would change in units of 1/{_UNITS_PER_M} m; write .mcap"
            )
            raise OutputError(msg)
        values = depth.values.astype(np.uint32) * np.uint32(factor)
        beyond = values >= _NO_DEPTH
        self._too_far += int(np.count_nonzero(beyond & (depth.values != _NO_DEPTH)))
        values[beyond] = 0
        return values.astype(np.uint16)

    def _save(self, stream: str, stamp_ns: int, pixels: NDArray[np.generic]) -> None:
        # Imported here: it takes longer than everything else in this package.
        import cv2

        if stamp_ns < 0:
            msg = f"{self._folder}: a sample at {stamp_ns} ns; this layout counts from 0"
            raise OutputError(msg)
        seconds, nanoseconds = divmod(stamp_ns, 1_000_000_000)
        stamp = f"{seconds}.{nanoseconds:09d}"
        name = f"{_FOLDERS[stream]}/{stamp}.png"
        written, encoded = cv2.imencode(".png", np.ascontiguousarray(pixels))
        if not written:
            msg = f"{self._folder}: a {stream} picture could not be written as PNG"
            raise OutputError(msg)
        try:
            with (self._temporary / name).open("xb") as file:
                file.write(encoded.tobytes())
        except FileExistsError as error:
            msg = f"{self._folder}: two {stream} pictures at {stamp} s; write .mcap"
            raise OutputError(msg) from error
        except OSError as error:
            raise self._unwritten(error) from error
        self._lists[stream].append(f"{stamp} {name}")

    def _write_text(self, name: str, lines: list[str]) -> None:
        (self._temporary / name).write_text("\n".join([*lines, ""]), encoding="utf-8")

    def _write_poses(self) -> None:
        trajectory = self._source.trajectory
        if trajectory is None:
            return
        lines = ["# time stamp in s, tx ty tz qx qy qz qw of T_world_depth"]
        for stamp_ns, matrix in zip(trajectory.timestamps_ns, trajectory.matrices, strict=True):
            seconds, nanoseconds = divmod(int(stamp_ns), 1_000_000_000)
            numbers = (*matrix[:3, 3], *quaternion_xyzw_from_rotation(matrix[:3, :3]))
            text = " ".join(repr(float(number)) for number in numbers)
            lines.append(f"{seconds}.{nanoseconds:09d} {text}")
        self._write_text("groundtruth.txt", lines)

    def _write_cameras(self) -> None:
        """Write the intrinsics; and the whole rig, where the layout's own idea is too simple."""
        # Imported here: most folders are only read.
        from sensorfusion.calibration.rig_file import write_rig  # noqa: PLC0415

        depth = self._source.rig.cameras[_DEPTH]
        color = self._source.rig.cameras.get(_COLOR)
        intrinsics = {
            "width": depth.width,
            "height": depth.height,
            "intrinsic_matrix": depth.matrix.T.ravel().tolist(),
            "depth_scale": float(_UNITS_PER_M),
        }
        self._write_text("intrinsics.json", [json.dumps(intrinsics, indent=2)])
        if color is not None and not self._is_registered(depth, color):
            self.notes.append(
                f"colour is not registered to depth: {RIG_FILE} says how they sit, other programs "
                "take the pictures of this layout as registered"
            )
        if color is None or not self._is_registered(depth, color) or not depth.distortion.is_none:
            write_rig(self._source.rig.on_one_clock(), self._temporary / RIG_FILE)

    def _is_registered(self, depth: Camera, color: Camera) -> bool:
        lens = [
            (c.width, c.height, c.fx, c.fy, c.cx, c.cy, c.distortion.is_none)
            for c in (depth, color)
        ]
        moved = self._source.rig.transform(_COLOR, _DEPTH).matrix
        return lens[0] == lens[1] and depth.distortion.is_none and bool((moved == np.eye(4)).all())

    def _unwritten(self, error: OSError) -> OutputError:
        msg = (
            f"{self._folder}: cannot be written whole ({error.strerror}); free some space or "
            "write elsewhere"
        )
        return OutputError(msg)
