"""``sensorfusion calibrate``: what is known of a device before it measures."""

from pathlib import Path

from cyclopts import App

from sensorfusion.calibration.rig_file import import_rig, write_rig
from sensorfusion.cli.output import write_line
from sensorfusion.cli.usage import UsageError

app = App(name="calibrate", help_format="markdown")
# By import path: they need what the others do not load.
app.command(
    "sensorfusion.cli.calibrate_estimate:camera",
    name="camera",
    help="Find a camera's lens from pictures of a board.",
)
app.command(
    "sensorfusion.cli.calibrate_estimate:stereo",
    name="stereo",
    help="Find two cameras and how they sit to each other from pictures of a board.",
)
app.command(
    "sensorfusion.cli.calibrate_check:check_depth",
    name="check-depth",
    help="Check that a recording's metres are right, by a board in its pictures.",
)
app.command(
    "sensorfusion.cli.calibrate_rig:check_extrinsics_",
    name="check-extrinsics",
    help="Check where a camera sits to the LiDAR or depth camera beside it, by edges.",
)
app.command(
    "sensorfusion.cli.calibrate_rig:rig",
    name="rig",
    help="Refine where a camera sits to a LiDAR or depth camera, and its time offset.",
)


@app.command(name="import")
def import_(
    *files: Path,
    out: Path,
    size: str | None = None,
    metres_per_unit: float | None = None,
) -> None:
    """Turn calibration files of other programs into one rig file.

    Read are KITTI's texts, ROS camera_info, Kalibr camera chains, OpenCV's FileStorage (YAML or
    JSON), Open3D's and OpenCalib's JSON, COLMAP's cameras.txt and images.txt, and 4x4 matrices in
    files named T_target_source.txt.

    Parameters
    ----------
    files
        All files of one calibration.
    out
        The rig file (TOML) to write.
    size
        WIDTHxHEIGHT of the pictures, for files that do not say, or say it wrongly.
    metres_per_unit
        What COLMAP's unit of length is, which its files do not say.
    """
    if not files:
        msg = "calibrate import needs the files to read; give one or more"
        raise UsageError(msg)
    rig = import_rig(files, size_px=_size_px(size), metres_per_unit=metres_per_unit)
    write_rig(rig, out)
    sensors = [*rig.cameras, *rig.lidars, *rig.imus]
    write_line(f"{out}: {', '.join(sensors)}; {len(rig.transforms)} transforms")


def _size_px(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    width, cross, height = text.partition("x")
    if not (cross and width.isdecimal() and height.isdecimal()):
        msg = f"--size {text}: expected WIDTHxHEIGHT, such as 1242x375"
        raise UsageError(msg)
    return int(width), int(height)
