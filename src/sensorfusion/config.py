"""Every setting of the path: its unit, default and range."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from sensorfusion.config_pictures import ModelSettings, StereoSettings, check_within
from sensorfusion.errors import ConfigError
from sensorfusion.noise import DepthNoise
from sensorfusion.rig import Rig

LARGEST_SIGMA_M = 0.03
"""The default range ends where a sensor's standard deviation reaches this, metres."""

_DEFAULT_FAR_M = (2.0, 6.0)
_UNKNOWN_FAR_M = 4.0


_FINEST_TRACKING_M = 0.008
_COARSER_TO_TRACK = 1.4
_USUAL_VOXEL_M = 0.01
# Of a LiDAR: share of the median range, and limits in metres.
_SCAN_VOXEL_SHARE, _SCAN_VOXEL_LIMITS_M = 0.008, (0.03, 0.2)


def _short(stage: str, flag: str) -> Parameter:
    """Let the command line and the TOML file name a setting without its stage, too."""
    return Parameter(name=(f"--{flag}", f"--{stage}.{flag}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthSettings:
    """Settings of the depth stage.

    Attributes
    ----------
    near_m : float
        Nearer measurements are ignored, metres.
    far_m : float or None
        Farther measurements are ignored, metres. None: where the sensor's standard deviation
        reaches 0.03 m, at least 2 m and at most 6 m; 4 m where its noise is unknown.
    flying_pixel_filter : bool
        Remove pixels that hang between a near edge and what is behind it.
    model : ModelSettings
    stereo : StereoSettings
    """

    near_m: Annotated[float, _short("depth", "near-m")] = 0.1
    far_m: Annotated[float | None, _short("depth", "far-m")] = None
    flying_pixel_filter: bool = True
    model: ModelSettings = field(default_factory=ModelSettings)
    stereo: StereoSettings = field(default_factory=StereoSettings)

    def __post_init__(self) -> None:
        far_m = 1000.0 if self.far_m is None else self.far_m
        check_within("depth.far_m", far_m, 0.05, 1000.0)
        check_within("depth.near_m", self.near_m, 0.0, far_m)

    def range_m(self, noise: DepthNoise) -> float:
        """Return the z up to which measurements of a sensor are used, metres."""
        if self.far_m is not None:
            return self.far_m
        if noise == DepthNoise.unknown():
            return _UNKNOWN_FAR_M
        nearest_m, farthest_m = _DEFAULT_FAR_M
        return min(max(noise.range_m(LARGEST_SIGMA_M), nearest_m), farthest_m)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingSettings:
    """Settings of the odometry stage.

    Attributes
    ----------
    voxel_size_m : float
        Largest voxel edge of the volume that frames are tracked against, metres. It follows
        ``fusion.voxel_size_m`` below that, but not all the way: see
        :attr:`Settings.tracking_voxel_size_m`.
    smallest_overlap : float
        Share of a frame's depth that must lie on known surface, 0 to 1.
    overlap_to_regain : float
        The same for the first frame after a loss, when nothing says where the camera went.
    largest_contradiction : float
        Share of it that may lie where the model has seen empty space, 0 to 1.
    largest_residual_m : float
        Robust distance between a frame and the surface it was placed on, metres at 1 m depth;
        it may grow with depth as a sensor's noise does.
    smallest_conditioning : float
        Mean square hold of the surface on the weakest direction of motion, 0 to 1/3.
    largest_jump_m : float
        Distance from the last placed frame, metres.
    """

    voxel_size_m: float = 0.01
    smallest_overlap: float = 0.3
    overlap_to_regain: float = 0.6
    largest_contradiction: float = 0.2
    largest_residual_m: float = 0.015
    smallest_conditioning: float = 0.0005
    largest_jump_m: float = 0.5

    def __post_init__(self) -> None:
        check_within("tracking.voxel_size_m", self.voxel_size_m, 0.002, 0.1)
        check_within("tracking.smallest_overlap", self.smallest_overlap, 0.0, 1.0)
        check_within("tracking.overlap_to_regain", self.overlap_to_regain, 0.0, 1.0)
        check_within("tracking.largest_contradiction", self.largest_contradiction, 0.0, 1.0)
        check_within("tracking.largest_residual_m", self.largest_residual_m, 0.001, 1.0)
        check_within("tracking.smallest_conditioning", self.smallest_conditioning, 0.0, 1.0)
        check_within("tracking.largest_jump_m", self.largest_jump_m, 0.01, 10.0)


LidarEngine = Literal["plane", "kiss", "small_gicp"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LidarSettings:
    """Settings of the odometry of LiDAR scans.

    Attributes
    ----------
    engine : {"plane", "kiss", "small_gicp"}
        What finds out where scans were taken: ours, or a package of the extra ``lidar``.
    voxel_size_m : float or None
        As far as surfaces count as flat, metres: edge of the cubes of the map that scans are laid
        on. None: as the first scans suggest.
    """

    engine: LidarEngine = "plane"
    voxel_size_m: float | None = None

    def __post_init__(self) -> None:
        voxel_size_m = 1.0 if self.voxel_size_m is None else self.voxel_size_m
        check_within("lidar.voxel_size_m", voxel_size_m, 0.02, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class FusionSettings:
    """Settings of the fusion stage.

    Attributes
    ----------
    voxel_size_m : float or None
        Edge of one voxel, metres. Halving it takes about four times the memory. None: 0.01 for
        depth cameras; for LiDARs about as close as their points are in the middle of their range.
    truncation_voxels : float
        Distance from a surface, in voxels, beyond which space counts as empty.
    device : str
        ``CPU:0``, or ``CUDA:0`` for Open3D's own integration on a graphics card.
    static : bool
        Of scans, take out what moved: surface that later beams went through.
    """

    voxel_size_m: Annotated[float | None, _short("fusion", "voxel-size-m")] = None
    truncation_voxels: float = 4.0
    device: Annotated[str, _short("fusion", "device")] = "CPU:0"
    static: Annotated[bool, _short("fusion", "static")] = True

    def __post_init__(self) -> None:
        check_within("fusion.voxel_size_m", self.edge_m, 0.001, 1.0)
        check_within("fusion.truncation_voxels", self.truncation_voxels, 2.0, 32.0)
        kind, _, number = self.device.partition(":")
        if kind not in ("CPU", "CUDA") or not number.isdigit():
            msg = f"fusion.device is {self.device!r}; expected CPU:0 or CUDA:N"
            raise ConfigError(msg)

    @property
    def truncation_m(self) -> float:
        """Return the truncation distance in metres."""
        return self.truncation_voxels * self.edge_m

    @property
    def edge_m(self) -> float:
        """Return the edge of a voxel in metres."""
        return _USUAL_VOXEL_M if self.voxel_size_m is None else self.voxel_size_m


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshSettings:
    """Settings of the mesh stage.

    Attributes
    ----------
    smallest_piece_triangles : int
        Connected pieces with fewer triangles are removed, but for the largest, which is always
        kept; 0 keeps all.
    target_triangles : int
        Decimate to about this many triangles; 0 keeps all.
    formats : tuple of {"ply", "glb", "obj", "stl"}
        Files that are written, at least one.
    fill : {"none", "poisson"}
        Close holes with Poisson's surface, which nobody measured: it is marked as invented.
    """

    smallest_piece_triangles: int = 200
    target_triangles: Annotated[int, _short("mesh", "target-triangles")] = 0
    formats: Annotated[tuple[Literal["ply", "glb", "obj", "stl"], ...], Parameter(negative=())] = (
        "ply",
        "glb",
    )
    fill: Annotated[Literal["none", "poisson"], _short("mesh", "fill")] = "none"

    def __post_init__(self) -> None:
        check_within("mesh.smallest_piece_triangles", self.smallest_piece_triangles, 0, 10**9)
        check_within("mesh.target_triangles", self.target_triangles, 0, 10**9)
        if not self.formats:
            msg = "mesh.formats is empty; expected one or more of ply, glb, obj and stl"
            raise ConfigError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting of the path, by stage."""

    depth: DepthSettings = field(default_factory=DepthSettings)
    tracking: TrackingSettings = field(default_factory=TrackingSettings)
    lidar: LidarSettings = field(default_factory=LidarSettings)
    fusion: FusionSettings = field(default_factory=FusionSettings)
    mesh: MeshSettings = field(default_factory=MeshSettings)

    @property
    def tracking_voxel_size_m(self) -> float:
        """Return the voxel edge of the volume that frames are tracked against, metres.

        Finer voxels follow a finer surface better, until a sensor's noise exceeds what four of
        them can hold: measured best at 8 mm for a surface of 5.8 mm.
        """
        finer_m = max(_FINEST_TRACKING_M, _COARSER_TO_TRACK * self.fusion.edge_m)
        return min(self.tracking.voxel_size_m, finer_m)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain values by stage; what is left open is left out."""
        return _without_none(asdict(self))

    def for_rig(self, rig: Rig) -> "Settings":
        """Return the settings as used with a rig: what is left to the sensor is filled in.

        ``depth.far_m`` becomes that of the sensor that reaches farthest, to a millimetre.

        Raises
        ------
        ConfigError
            If ``depth.near_m`` lies beyond it.
        """
        if rig.lidars:
            # A LiDAR's range stands in the rig, its voxels follow from the first scan.
            return self
        if self.fusion.voxel_size_m is None:
            return replace(self, fusion=replace(self.fusion, voxel_size_m=_USUAL_VOXEL_M)).for_rig(
                rig
            )
        if self.depth.far_m is not None:
            return self
        noises = list(rig.depth_noise.values()) or [DepthNoise.unknown()]
        far_m = round(max(map(self.depth.range_m, noises)), 3)
        if self.depth.near_m > far_m:
            msg = (
                f"depth.near_m is {self.depth.near_m}, and this sensor is used up to {far_m} m; "
                "give depth.far_m to use it beyond"
            )
            raise ConfigError(msg)
        return replace(self, depth=replace(self.depth, far_m=far_m))

    def for_scan(self, median_range_m: float) -> "Settings":
        """Return the settings as used with a LiDAR whose first scan has this median range."""
        if self.fusion.voxel_size_m is not None:
            return self
        least_m, most_m = _SCAN_VOXEL_LIMITS_M
        edge_m = round(min(max(_SCAN_VOXEL_SHARE * median_range_m, least_m), most_m), 3)
        return replace(self, fusion=replace(self.fusion, voxel_size_m=edge_m))


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings without those that are left open: TOML has no word for nothing."""
    return {
        name: _without_none(value) if isinstance(value, Mapping) else value
        for name, value in values.items()
        if value is not None
    }
