"""Any recording of a depth sensor to absolute depth in metres and a coloured mesh.

The path in one line::

    import sensorfusion as sf

    mesh = sf.reconstruct("recording.db3").mesh
"""

import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from sensorfusion.kernel_cache import choose_kernel_cache

# Open3D ships an older TBB than numba wants, and numba's own work queue aborts when two threads
# enter it.
os.environ.setdefault("NUMBA_THREADING_LAYER", "omp")
# Threads that wait must leave the core to those that decode frames.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
choose_kernel_cache(Path(__file__).parent)

if TYPE_CHECKING:
    from sensorfusion.camera import Camera
    from sensorfusion.config import Settings
    from sensorfusion.depth.absolute import absolute_depth
    from sensorfusion.depth.align import align_depth
    from sensorfusion.depth_map import DepthMap, RawDepth
    from sensorfusion.distortion import Distortion
    from sensorfusion.errors import SensorFusionError
    from sensorfusion.evaluate.mesh import compare_meshes
    from sensorfusion.evaluate.trajectory import compare_trajectories
    from sensorfusion.export.mesh import write_mesh
    from sensorfusion.export.ply import read_mesh
    from sensorfusion.export.reconstruction import Reconstruction
    from sensorfusion.export.trajectory import read_trajectory, write_trajectory
    from sensorfusion.frame import Frame
    from sensorfusion.image import Image
    from sensorfusion.pipeline import reconstruct
    from sensorfusion.rig import Rig
    from sensorfusion.sources.registry import open_source, read_truth
    from sensorfusion.trajectory import Trajectory
    from sensorfusion.transform import RigidTransform
    from sensorfusion.triangle_mesh import TriangleMesh

_HOME = {
    "Camera": "camera",
    "DepthMap": "depth_map",
    "Distortion": "distortion",
    "Frame": "frame",
    "Image": "image",
    "RawDepth": "depth_map",
    "Reconstruction": "export.reconstruction",
    "Rig": "rig",
    "RigidTransform": "transform",
    "SensorFusionError": "errors",
    "Settings": "config",
    "Trajectory": "trajectory",
    "TriangleMesh": "triangle_mesh",
    "absolute_depth": "depth.absolute",
    "align_depth": "depth.align",
    "compare_meshes": "evaluate.mesh",
    "compare_trajectories": "evaluate.trajectory",
    "open_source": "sources.registry",
    "read_mesh": "export.ply",
    "read_trajectory": "export.trajectory",
    "read_truth": "sources.registry",
    "reconstruct": "pipeline",
    "write_mesh": "export.mesh",
    "write_trajectory": "export.trajectory",
}

__all__ = [
    "Camera",
    "DepthMap",
    "Distortion",
    "Frame",
    "Image",
    "RawDepth",
    "Reconstruction",
    "Rig",
    "RigidTransform",
    "SensorFusionError",
    "Settings",
    "Trajectory",
    "TriangleMesh",
    "absolute_depth",
    "align_depth",
    "compare_meshes",
    "compare_trajectories",
    "open_source",
    "read_mesh",
    "read_trajectory",
    "read_truth",
    "reconstruct",
    "write_mesh",
    "write_trajectory",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: Open3D and numba take seconds to load."""
    if name not in _HOME:
        msg = f"module 'sensorfusion' has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"sensorfusion.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
