"""``sensorfusion record``."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from sensorfusion.cli.location import SourceOptions
from sensorfusion.cli.output import only_our_output, write_line
from sensorfusion.cli.progress import Watch
from sensorfusion.errors import OutputError
from sensorfusion.frame import Sample
from sensorfusion.imu import ImuReading
from sensorfusion.recording.options import ColorCodec, DepthCodec, RecordingOptions, Written
from sensorfusion.recording.writer import RecordingWriter
from sensorfusion.sources.driver import FrameSource, LiveFrameSource


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingFlags:
    """Where and how a recording is written.

    Attributes
    ----------
    out : Path
        The MCAP file; must not exist.
    color : {"raw", "png", "jpeg"}
        How pictures are stored: as they are, in packed chunks; as PNG, smaller for three times
        the work; or as JPEG, which loses detail.
    jpeg_quality : int
        1 to 100.
    depth : {"auto", "rvl", "raw", "png"}
        How depth is stored, always without loss; auto takes what is smallest.
    seconds : float or None
        End after so much of the source's time.
    """

    out: Path
    color: ColorCodec = "raw"
    jpeg_quality: Annotated[int, Parameter(validator=Number(gte=1, lte=100))] = 95
    depth: DepthCodec = "auto"
    seconds: Annotated[float | None, Parameter(validator=Number(gt=0))] = None


def record(source: str, /, *, flags: RecordingFlags, opening: SourceOptions | None = None) -> None:
    """Record every sample of a camera or of another recording to an MCAP file.

    Parameters
    ----------
    source
        A recording, a folder, or a name such as synthetic:room.
    """
    with only_our_output(), (opening or SourceOptions()).open(source) as opened:
        with Watch("record", flags.out.parent) as watch:
            watch.closes(opened)
            written = record_source(opened, flags, watch)
        notes, lost = opened.notes, opened.losses.dropped
    if written.samples or not watch.interrupted:
        _summarise(written, notes, lost)
    if watch.interrupted:
        raise KeyboardInterrupt


def record_source(source: FrameSource, flags: RecordingFlags, watch: Watch) -> Written:
    """Write the samples of a source until it ends, its time is over, or Ctrl-C is pressed.

    Raises
    ------
    OutputError
        If the recording cannot be written, or the source delivered nothing; no file is left then.
    SourceError
        If the source cannot be read on; what it delivered before is kept.
    """
    options = RecordingOptions(
        color=flags.color,
        jpeg_quality=flags.jpeg_quality,
        depth=flags.depth,
        live=isinstance(source, LiveFrameSource),
        device=source.metadata,
    )
    writer = RecordingWriter(flags.out, source.rig, options=options)
    try:
        with writer:
            for done, sample in enumerate(all_samples(source, flags.seconds), 1):
                writer.write(sample)
                # A camera that Ctrl-C ended still hands out what had come.
                if not watch(done, None) and not watch.ended_camera:
                    break
        if not writer.written and not watch.interrupted:
            msg = f"{flags.out}: not written, the source delivered no sample"
            raise OutputError(msg)
        return writer.close()
    finally:
        # An empty file would only stand in the way of the next recording.
        if not writer.written:
            flags.out.unlink(missing_ok=True)


def all_samples(source: FrameSource, seconds: float | None = None) -> Iterator[Sample]:
    """Yield every sample, and what an inertial sensor measured where samples do not hold it.

    Parameters
    ----------
    source : FrameSource
    seconds : float or None
        How much of the source's time is wanted, from the first sample; None for all.
    """
    has_readings, end_ns = False, math.inf
    for sample in source.samples():
        if seconds is not None and end_ns == math.inf:
            end_ns = sample.timestamp_ns + seconds * 1e9
        if sample.timestamp_ns >= end_ns:
            break
        has_readings |= isinstance(sample.data, ImuReading)
        yield sample
    imu = source.imu
    if imu is None or has_readings:
        return
    for stamp_ns, gyro, accel in zip(
        imu.timestamps_ns.tolist(), imu.gyro_rad_s.tolist(), imu.accel_m_s2.tolist(), strict=True
    ):
        if stamp_ns < end_ns:
            yield Sample(
                imu.name, stamp_ns, ImuReading(imu.name, stamp_ns, tuple(gyro), tuple(accel))
            )


def _summarise(written: Written, notes: tuple[str, ...], lost: Mapping[str, int]) -> None:
    kinds = ", ".join(f"{count} {stream}" for stream, count in written.samples.items())
    write_line(f"{kinds} in {written.path}, {written.size_bytes / 1e6:.1f} MB")
    for stream, count in written.dropped.items():
        write_line(f"  dropped {count}: {stream}")
    for reason, count in lost.items():
        write_line(f"  not delivered {count}: {reason}")
    for note in notes:
        write_line(f"  note: {note}")
