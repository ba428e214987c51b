"""``sensorfusion export grid`` and ``esdf``: where there is room, for robots."""

from dataclasses import dataclass
from pathlib import Path

from cyclopts import Parameter

from sensorfusion.cli.location import SourceOptions
from sensorfusion.cli.output import only_our_output, write_line
from sensorfusion.cli.progress import Watch
from sensorfusion.cli.usage import UsageError
from sensorfusion.config import FusionSettings, Settings
from sensorfusion.errors import ConfigError
from sensorfusion.perception.distance_field import distance_field
from sensorfusion.perception.floor import local_floor
from sensorfusion.perception.occupancy import FREE, OCCUPIED, occupancy_grid
from sensorfusion.perception.voxels import SeenVoxels
from sensorfusion.pipeline import reconstruct


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How the room is seen, and where what is found goes.

    Attributes
    ----------
    out : Path
        Folder; made if it is not there.
    cell_size_m : float or None
        Edge of a cell, metres: by default 0.05, or that of the voxels if they are larger.
    poses : str or None
        Poses of the sensor: a TUM file, or the recording itself ("recording"); by default it is
        tracked.
    voxel_size_m : float or None
        Edge of the voxels that the recording is fused in, metres: by default 0.02 for depth
        cameras, and for LiDARs as `reconstruct` chooses it.
    """

    out: Path
    cell_size_m: float | None = None
    poses: str | None = None
    voxel_size_m: float | None = None

    def settings(self, *, of_scans: bool) -> Settings:
        """Return these as settings of the path; ``UsageError`` if one is out of range."""
        usual_m = None if of_scans else _VOXEL_M
        try:
            fusion = FusionSettings(voxel_size_m=self.voxel_size_m or usual_m)
        except ConfigError as error:
            raise UsageError(str(error)) from error
        if self.cell_size_m is not None and not self.cell_size_m > 0:
            msg = f"--cell-size-m is {self.cell_size_m}; expected a positive number"
            raise UsageError(msg)
        return Settings(fusion=fusion)

    def cell_m(self, voxels: SeenVoxels) -> float:
        """Return the edge of a cell, metres."""
        return self.cell_size_m or max(_CELL_M, voxels.voxel_size_m)


_VOXEL_M, _CELL_M = 0.02, 0.05


def grid(
    source: str,
    /,
    *,
    room: Room,
    lowest_m: float = 0.1,
    highest_m: float = 1.8,
    opening: SourceOptions | None = None,
) -> None:
    """Write which part of the floor is free: map.png and map.yaml, as ROS' map_server reads them.

    Occupied is where surface stands between two heights above the floor, free where the floor or
    free space was seen and nothing stands; the rest is unknown. Heights count from the floor
    below each place, so that gentle slopes and low kerbs are free. The map is upright, with
    the origin of `reconstruct`'s mesh.glb.

    Parameters
    ----------
    source
        A recording, a folder, or a name such as synthetic:room.
    lowest_m
        Lower things are no obstacle, metres above the floor.
    highest_m
        Higher things are no obstacle, metres above the floor.
    """
    if not 0 <= lowest_m < highest_m:
        msg = f"--lowest-m {lowest_m} and --highest-m {highest_m}; expected 0 <= lowest < highest"
        raise UsageError(msg)
    voxels = _seen("grid", source, room, opening or SourceOptions())
    floor = local_floor(voxels)
    found = occupancy_grid(voxels, floor, (lowest_m, highest_m), room.cell_m(voxels))
    found.save(room.out)
    area_m2 = found.cell_size_m**2
    free, occupied = ((found.cells == state).sum() * area_m2 for state in (FREE, OCCUPIED))
    rows, columns = found.cells.shape
    write_line(
        f"{columns}x{rows} cells of {found.cell_size_m:g} m in {room.out}: {free:.1f} m2 free, "
        f"{occupied:.1f} m2 occupied; floor at "
        f"{floor.heights_m.min():.2f} to {floor.heights_m.max():.2f} m"
    )


def esdf(source: str, /, *, room: Room, opening: SourceOptions | None = None) -> None:
    """Write how far the nearest surface is, everywhere: esdf.npy, esdf_seen.npy and esdf.json.

    Exact Euclidean distances between middles of cells, metres, upright, with the origin of
    `reconstruct`'s mesh.glb; esdf_seen.npy says which cells were seen.

    Parameters
    ----------
    source
        A recording, a folder, or a name such as synthetic:room.
    """
    voxels = _seen("esdf", source, room, opening or SourceOptions())
    found = distance_field(voxels, room.cell_m(voxels))
    found.save(room.out)
    size = "x".join(map(str, found.distance_m.shape))
    write_line(
        f"{size} cells of {found.cell_size_m:g} m in {room.out}, {found.seen.mean():.0%} of them "
        f"seen, up to {found.distance_m.max():.2f} m from a surface"
    )


def _seen(title: str, source: str, room: Room, opening: SourceOptions) -> SeenVoxels:
    """Reconstruct a source; return where it saw surface and free space, upright."""
    spaces: list[SeenVoxels] = []
    with only_our_output(), opening.open(source) as opened, Watch(title, room.out) as watch:
        watch.closes(opened)
        reconstruct(
            opened,
            room.settings(of_scans=bool(opened.rig.lidars)),
            poses=room.poses,
            go_on=watch,
            on_space=spaces.append,
        )
    if watch.interrupted:
        raise KeyboardInterrupt
    return spaces[0]
