"""``sensorfusion convert`` and ``sensorfusion recover``: recordings in other containers."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from sensorfusion.cli.location import SourceOptions
from sensorfusion.cli.output import only_our_output, write_line
from sensorfusion.cli.progress import Watch
from sensorfusion.cli.record import RecordingFlags, all_samples, record_source
from sensorfusion.errors import OutputError
from sensorfusion.sources.driver import FrameSource
from sensorfusion.sources.registry import open_writer

_MCAP = ".mcap"


def convert(source: str, destination: Path, /, *, opening: SourceOptions | None = None) -> None:
    """Write every sample of a recording in another format, paired or not.

    What the format cannot hold without loss is refused, or named in what is printed.

    Parameters
    ----------
    source
        A recording, a folder, or a name such as synthetic:room.
    destination
        FILE.db3 or FILE.bag (librealsense), FILE.mcap, or a folder (layout of TUM); must not exist.
    """
    opening = opening or SourceOptions()
    _check_free(source, destination)
    with only_our_output(), opening.open(source) as opened:
        with Watch("convert", destination.parent) as watch:
            watch.closes(opened)
            written, notes = _copy(opened, destination, watch)
        lost = {**opened.losses.dropped}
        said = (*opened.notes, *notes)
    _say(destination, written, lost, said)
    if watch.interrupted:
        raise KeyboardInterrupt


def recover(recording: str, /, *, out: Path, opening: SourceOptions | None = None) -> None:
    """Write what can be read of a damaged recording to a sound one, and say what was lost.

    Parameters
    ----------
    recording
        A recording that was cut short, never finished, or damaged.
    out
        The MCAP file; must not exist.
    """
    if out.suffix.lower() != _MCAP:
        msg = f"{out}: expected a name that ends with {_MCAP}; `sensorfusion convert` writes others"
        raise OutputError(msg)
    convert(recording, out, opening=opening)


def _copy(
    source: FrameSource, destination: Path, watch: Watch
) -> tuple[Mapping[str, int], list[str]]:
    """Write all samples; return their number by stream, and what could not be kept."""
    if destination.suffix.lower() == _MCAP:
        done = record_source(source, RecordingFlags(out=destination), watch)
        return done.samples, [f"dropped: {n} of {name}" for name, n in done.dropped.items()]
    written: Counter[str] = Counter()
    writer = open_writer(destination, source)
    try:
        for sample in all_samples(source):
            writer.write(sample)
            written[sample.stream] += 1
            if not watch(written.total(), None):
                break
    except BaseException:
        writer.abandon()
        raise
    if not written:
        writer.abandon()
        msg = f"{destination}: not written, the source delivered no sample"
        raise OutputError(msg)
    writer.close()
    return written, writer.notes


def _check_free(source: str, destination: Path) -> None:
    try:
        same = destination.exists() and Path(source).samefile(destination)
        taken = destination.is_file() and destination.stat().st_size > 0
    except (OSError, ValueError):
        same = taken = False
    if same:
        msg = f"{destination}: is the recording that is read; give another name"
        raise OutputError(msg)
    if taken:
        # It may be a recording that took hours, whatever the container.
        msg = f"{destination}: exists already; give the recording another name, or remove it"
        raise OutputError(msg)


def _say(
    destination: Path, written: Mapping[str, int], lost: Mapping[str, int], notes: tuple[str, ...]
) -> None:
    kinds = ", ".join(f"{count} {stream}" for stream, count in written.items())
    write_line(f"{kinds} in {destination}")
    for reason, count in lost.items():
        write_line(f"  lost: {count} x {reason}")
    for note in notes:
        write_line(f"  note: {note}")
