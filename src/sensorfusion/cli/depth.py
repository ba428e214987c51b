"""``sensorfusion depth``: every depth map of a recording, in metres."""

import math
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from sensorfusion.cli.depth_summary import Said
from sensorfusion.cli.model import ModelSourceOptions
from sensorfusion.cli.output import only_our_output, write_line
from sensorfusion.cli.overview import spread_indices
from sensorfusion.cli.progress import Watch
from sensorfusion.cli.usage import UsageError
from sensorfusion.config import DepthSettings
from sensorfusion.config_pictures import ModelSettings, StereoSettings
from sensorfusion.depth.into_camera import CameraDepth, Completion, IntoCamera
from sensorfusion.depth.predicted import is_picture
from sensorfusion.errors import ConfigError, UnsupportedRecordingError
from sensorfusion.export.depth_maps import DepthMapWriter
from sensorfusion.formats.whole_file import make_folder
from sensorfusion.image import Image
from sensorfusion.pipeline import depth_maps
from sensorfusion.sources.driver import FrameSource, SeekableFrameSource
from sensorfusion.view.colormap import colorize, common_range, with_legend
from sensorfusion.view.overlay import overlay

_METRES_PER_UNIT = 0.001
_FAR_M = 65.0
# As KITTI stores LiDAR depth: reaches 256 m, and rounds by less than a LiDAR errs.
_METRES_PER_UNIT_OF_LIDAR = 1 / 256


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class MapFiles:
    """What is written, and where.

    Attributes
    ----------
    out : Path
        Folder for the maps, depth.json and preview/; made if it is not there.
    format : {"png", "tiff"}
        16-bit PNG in units of metres_per_unit, or TIFF with float32 metres.
    metres_per_unit : float or None
        Of the PNG, by default 0.001, which reaches 65.534 m, and 1/256 for a LiDAR (255.99 m);
        not for TIFF.
    sigma : bool
        Also write sigma/NNNNNN.tiff: the standard deviation of each pixel, float32 metres.
    overlay : bool
        Also write overlay/NNNNNN.jpg: the measured points over the camera's picture, which shows
        a wrong transform at once.
    """

    out: Path
    format: Literal["png", "tiff"] = "png"
    metres_per_unit: float | None = None
    sigma: Annotated[bool, Parameter(negative=())] = False
    overlay: Annotated[bool, Parameter(negative=())] = False

    def __post_init__(self) -> None:
        if self.metres_per_unit is None:
            return
        if self.format != "png":
            msg = f"--metres-per-unit says nothing for --format {self.format}, which holds metres"
            raise UsageError(msg)
        if not 0 < self.metres_per_unit < math.inf:
            msg = f"--metres-per-unit is {self.metres_per_unit}; expected a positive number"
            raise UsageError(msg)

    def writer(self, source: FrameSource) -> DepthMapWriter:
        """Return what writes the maps of a source."""
        usual = _METRES_PER_UNIT_OF_LIDAR if source.rig.lidars else _METRES_PER_UNIT
        unit_m = self.metres_per_unit or usual
        return DepthMapWriter(self.out, source.rig, self.format, unit_m)


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Which depth is kept.

    Attributes
    ----------
    near_m : float
        Nearer measurements are left out, metres.
    far_m : float or None
        Farther measurements are left out, metres: by default 65, and all that a LiDAR measured.
    flying_pixel_filter : bool
        Leave out pixels that hang between a near edge and what is behind it.
    stereo : StereoSettings
        Of stereo pairs.
    """

    near_m: float = 0.0
    far_m: float | None = None
    flying_pixel_filter: bool = True
    stereo: StereoSettings = field(default_factory=StereoSettings)

    def settings(self, source: FrameSource, model: ModelSettings | None = None) -> DepthSettings:
        """Return these as settings of the depth stage; ``UsageError`` if one is out of range."""
        far_m = self.far_m
        if far_m is None and not source.rig.lidars:
            far_m = _FAR_M
        try:
            return DepthSettings(
                near_m=self.near_m,
                far_m=far_m,
                flying_pixel_filter=self.flying_pixel_filter,
                model=model or ModelSettings(),
                stereo=self.stereo,
            )
        except ConfigError as error:
            raise UsageError(str(error)) from error


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """How depth is made.

    Attributes
    ----------
    camera : str or None
        Give depth as this camera of the rig sees it; by default as it was measured, which for a
        LiDAR is its range image. Where that camera measures depth itself, both are merged.
    completion : {"none", "smooth", "mesh", "guided", "predicted"}
        How pixels without depth are filled: not at all; by smoothing between measurements; by the
        surface between a LiDAR's beams; by smoothing that follows the edges of the picture; by what
        a monocular model (-o model=FILE.onnx) says, held by what was measured.
    poses : str or None
        Compensate LiDAR scans for the LiDAR's motion in a TUM file (T_world_lidar); by default
        for the recording's own.
    """

    camera: str | None = None
    completion: Completion = "none"
    poses: str | None = None


def depth(
    source: str,
    /,
    *,
    files: MapFiles,
    making: Making | None = None,
    kept: Kept | None = None,
    opening: ModelSourceOptions | None = None,
) -> None:
    """Write a recording's depth maps in metres, with previews that share one range of colours.

    Parameters
    ----------
    source
        A recording, a folder, or a name such as synthetic:room.
    """
    opening, kept, making = opening or ModelSourceOptions(), kept or Kept(), making or Making()
    if files.overlay and making.camera is None:
        msg = "--overlay draws points over the picture of a camera; name it with --camera"
        raise UsageError(msg)
    model = opening.model()
    with only_our_output(), opening.open(source) as opened, Watch("depth", files.out) as watch:
        watch.closes(opened)
        _check_use(opened, model, making)
        settings = kept.settings(opened, model)
        near_m, far_m = _range(opened, settings, making)
        maps = depth_maps(opened, settings, making.camera, making.completion, making.poses)
        # Not before frames were seen: a mistyped source or camera must leave nothing behind.
        make_folder(files.out)
        total = len(opened) if isinstance(opened, SeekableFrameSource) else None
        said = Said()
        with files.writer(opened) as writer, closing(maps) as measured:
            for found in measured:
                said.add(found)
                _write(writer, files, found, (near_m, far_m))
                if not watch(said.maps, total):
                    break
        losses, notes = opened.losses, opened.notes
    write_line(f"{said.maps} depth maps in {files.out}, {said.previews(near_m, far_m, settings)}")
    for line in said.lines(making.camera or "", making.completion, overlay=files.overlay):
        write_line(f"  {line}")
    for note in notes:
        write_line(f"  note: {note}")
    for reason, count in losses.dropped.items():
        write_line(f"  dropped {count}: {reason}")
    for stream, count in losses.unpaired.items():
        if count:
            write_line(f"  without a partner: {count} {stream}")
    if watch.interrupted:
        raise KeyboardInterrupt


def _write(
    writer: DepthMapWriter, files: MapFiles, found: CameraDepth, limits_m: tuple[float, float]
) -> None:
    index, made = found.frame.index, found.depth
    preview = with_legend(colorize(made.metres, *limits_m), *limits_m)
    filling: dict[str, object] = {"completion": found.completion, "motion_compensated": found.moved}
    if found.correction is not None:
        filling["merged"] = asdict(found.correction)
    if found.predicted is not None:
        fit = found.predicted.fit
        filling["predicted"] = "the model's own metres" if fit is None else asdict(fit)
    if found.refused:
        filling["refused"] = found.refused
    writer.write(index, made, preview, found.points_in_image, filling)
    if found.T_camera_sensor is not None and made.camera.is_spherical:
        writer.place(found.T_camera_sensor)
    if files.sigma:
        writer.write_sigma(index, made)
    image = found.frame.images.get(made.camera.name)
    if files.overlay and image is not None:
        picture = with_legend(overlay(found.measured, image, *limits_m), *limits_m)
        writer.write_overlay(index, picture)


def _range(source: FrameSource, settings: DepthSettings, making: Making) -> tuple[float, float]:
    """Return one range of depths for all previews."""
    if not isinstance(source, SeekableFrameSource) or not len(source):
        # What can be read only once has no look ahead: the range that is kept.
        return settings.near_m, settings.far_m or _FAR_M
    into_camera = IntoCamera(source.rig, settings, making.camera)
    looked_at = [into_camera(source[index]) for index in spread_indices(len(source))]
    refused = {found.refused for found in looked_at}
    if all(refused):
        msg = f"none of {len(looked_at)} frames that were looked at has depth: {', '.join(refused)}"
        raise UnsupportedRecordingError(msg)
    # A picture alone was not measured: what is predicted of it is what there is.
    maps = (
        found.depth if found.completion == "predicted" else found.measured for found in looked_at
    )
    return common_range(maps)


def _check_use(source: FrameSource, model: ModelSettings, making: Making) -> None:
    """Refuse a model that is not asked to do anything, and to predict without one."""
    if not isinstance(source, SeekableFrameSource) or not len(source):
        return
    frame = source[0]
    if model.file is not None and making.completion != "predicted" and not is_picture(frame):
        msg = (
            "-o model: this source measures depth, and a model fills its holes only with "
            "--completion predicted"
        )
        raise UsageError(msg)
    needs_one = isinstance(frame.measurement, Image) or (
        making.completion == "predicted" and not is_picture(frame)
    )
    if model.file is None and needs_one:
        what = "a picture alone has no depth" if is_picture(frame) else "--completion predicted"
        msg = f"{what}: a monocular model must say what it shows; give -o model=FILE.onnx"
        raise UsageError(msg)
