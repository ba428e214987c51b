"""What comes out of a recording, and the files that it becomes."""

from dataclasses import dataclass
from pathlib import Path

import tomli_w

from sensorfusion.config import Settings
from sensorfusion.export.mesh import write_mesh
from sensorfusion.export.trajectory import write_trajectory
from sensorfusion.formats.whole_file import make_folder, whole_file
from sensorfusion.report import Report
from sensorfusion.trajectory import Trajectory
from sensorfusion.transform import RigidTransform
from sensorfusion.triangle_mesh import TriangleMesh


@dataclass(frozen=True, slots=True, eq=False)
class Reconstruction:
    """What came out of a recording.

    Attributes
    ----------
    mesh : TriangleMesh
        Metres, in the world of ``trajectory``.
    trajectory : Trajectory
        ``T_world_camera`` of the depth camera for every frame that was used.
    T_up_world : RigidTransform
        Turns the world upright: z up, metres.
    report : Report
    settings : Settings
        As used.
    """

    mesh: TriangleMesh
    trajectory: Trajectory
    T_up_world: RigidTransform
    report: Report
    settings: Settings

    def save(self, folder: Path | str) -> None:
        """Write the meshes, ``trajectory.tum``, ``report.json`` and ``config.toml``.

        Each file is whole or not there.

        Raises
        ------
        OutputError
            If a file cannot be written, or reads back differently.
        """
        folder = make_folder(folder)
        for suffix in self.settings.mesh.formats:
            if suffix != "glb":
                write_mesh(folder / f"mesh.{suffix}", self.mesh)
            elif len(self.mesh.triangles):
                # glTF knows no empty mesh, and wants y up: its writer turns one that stands on z.
                write_mesh(folder / "mesh.glb", self.mesh.moved(self.T_up_world))
        write_trajectory(folder / "trajectory.tum", self.trajectory)
        with whole_file(folder / "config.toml") as path:
            path.write_text(tomli_w.dumps(self.settings.to_dict()), encoding="utf-8")
        with whole_file(folder / "report.json") as path:
            path.write_text(self.report.to_json(), encoding="utf-8")
