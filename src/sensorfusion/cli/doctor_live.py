"""``sensorfusion doctor --live``: whether a camera delivers what it should, with a report."""

import json
import platform
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np

from sensorfusion.cli.location import SourceOptions
from sensorfusion.cli.output import only_our_output, write_line
from sensorfusion.cli.progress import Watch
from sensorfusion.cli.usage import UsageError
from sensorfusion.depth.scale import to_metres
from sensorfusion.depth_map import RawDepth
from sensorfusion.errors import SensorFusionError
from sensorfusion.evaluate.wall import WallNoise, wall_noise
from sensorfusion.formats.whole_file import make_folder, whole_file
from sensorfusion.frame import Frame
from sensorfusion.sources.driver import LiveFrameSource, StreamHealth

_LOST_SHARE: Final = 0.001
_UNPAIRED_SHARE: Final = 0.01
_SLOW_SHARE: Final = 0.95
_ON_PLANE_SHARE: Final = 0.9
# Sensors of one kind differ, and a wall without texture is harder than the data sheet's.
_NOISY_TIMES: Final = 2.0
_S_BETWEEN_WALLS: Final = 1.0


@dataclass(slots=True)
class _Findings:
    """What was seen of a camera."""

    seconds: float = 0.0
    received_before: dict[str, int] = field(default_factory=dict)
    walls: list[WallNoise] = field(default_factory=list)
    exposures_us: dict[str, set[int]] = field(default_factory=dict)
    interrupted: bool = False


def check_camera(location: str, opening: SourceOptions, seconds: float, report: Path) -> None:
    """Let a camera run, say how it did, and write that to a file.

    Parameters
    ----------
    location : str
        Such as ``realsense:`` or ``realsense:728612070259``.
    opening : SourceOptions
    seconds : float
        How long.
    report : Path
        JSON file that is written, for whoever helps.

    Raises
    ------
    SensorFusionError
        If there is no such camera, or it did not do well; each line says what to do.
    """
    if not seconds > 0:
        msg = f"--seconds {seconds:g}: expected a number above 0"
        raise UsageError(msg)
    with only_our_output(), opening.open(location) as source:
        if not isinstance(source, LiveFrameSource):
            msg = f"{location} is no camera; doctor --live takes one that `devices` lists"
            raise SensorFusionError(msg)
        # Now, not after a minute.
        make_folder(report.parent)
        found = _watch(source, seconds, report.parent)
        facts = _facts(location, source, found)
    checks = _checks(source, found)
    facts["checks"] = [{"name": n, "ok": ok, "text": text} for n, ok, text in checks]
    with whole_file(report) as path:
        path.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    for name, ok, text in checks:
        write_line(f"{'ok  ' if ok else 'FAIL'}  {name}: {text}")
    write_line(f"the report is in {report}")
    if found.interrupted:
        raise KeyboardInterrupt
    failed = [name for name, ok, _ in checks if not ok]
    if failed:
        msg = f"{len(failed)} of {len(checks)} checks failed: {', '.join(failed)}"
        raise SensorFusionError(msg)


def _watch(source: LiveFrameSource, seconds: float, folder: Path) -> _Findings:
    found = _Findings()
    began_s = looked_s = 0.0
    with Watch("doctor", folder) as watch:
        watch.closes(source)
        for count, frame in enumerate(source, 1):
            now_s, state = time.monotonic(), source.health()
            if count == 1:
                # A camera takes a second to begin, which is not its rate.
                began_s = now_s
                found.received_before = {name: one.received for name, one in state.items()}
            if now_s - looked_s >= _S_BETWEEN_WALLS:
                looked_s = now_s
                found.walls.extend(_wall(frame))
            for stream, health in state.items():
                if health.exposure_us is not None:
                    found.exposures_us.setdefault(stream, set()).add(health.exposure_us)
            found.seconds = now_s - began_s
            if not watch(count, None) or found.seconds >= seconds:
                break
        found.interrupted = watch.interrupted
    return found


def _wall(frame: Frame) -> list[WallNoise]:
    if not isinstance(frame.measurement, RawDepth):
        return []
    wall = wall_noise(to_metres(frame.measurement))
    return [] if wall is None else [wall]


def _checks(source: LiveFrameSource, found: _Findings) -> list[tuple[str, bool, str]]:
    """Return name, verdict and sentence of each check."""
    checks = [
        ("camera", True, f"{source.metadata.get('Name', 'unnamed')}, {_port(source.metadata)}")
    ]
    checks += [("note", False, note) for note in source.notes]
    for stream, health in source.health().items():
        checks.append(_rate(stream, health, found))
        checks.append(_losses(stream, health))
        checks.append(_exposure(stream, sorted(found.exposures_us.get(stream, ()))))
    return [*checks, _noise(source, found.walls)]


def _port(metadata: Mapping[str, str]) -> str:
    firmware = metadata.get("Firmware Version", "unknown")
    return f"firmware {firmware}, USB {metadata.get('Usb Type Descriptor', 'unknown')}"


def _rate(stream: str, health: StreamHealth, found: _Findings) -> tuple[str, bool, str]:
    arrived = health.received - found.received_before.get(stream, 0)
    rate_hz = arrived / found.seconds if found.seconds else 0.0
    text = f"{health.received} pictures, {rate_hz:.1f} of {health.rate_hz} Hz"
    ok = rate_hz >= _SLOW_SHARE * health.rate_hz
    return f"{stream} rate", ok, text if ok else text + "; use a USB 3 port, or more light"


def _losses(stream: str, health: StreamHealth) -> tuple[str, bool, str]:
    there = max(health.received, 1)
    text = (
        f"{health.missing} never arrived, {health.unpaired} without a partner, {health.dropped} "
        f"not taken in time, {health.warming_up} before the exposure was steady"
    )
    if health.missing > _LOST_SHARE * (there + health.missing):
        return f"{stream} losses", False, text + "; change the cable or the port"
    ok = health.unpaired <= _UNPAIRED_SHARE * there
    return f"{stream} losses", ok, text if ok else text + "; set both streams to one rate"


def _exposure(stream: str, exposures_us: list[int]) -> tuple[str, bool, str]:
    if not exposures_us:
        return f"{stream} exposure", True, "the camera does not tell it"
    return f"{stream} exposure", True, f"{exposures_us[0]} to {exposures_us[-1]} us"


def _noise(source: LiveFrameSource, walls: list[WallNoise]) -> tuple[str, bool, str]:
    title = "depth noise"
    if not walls:
        return title, False, "no depth in the middle; point the camera at a wall 1 m away"
    distance_m = float(np.median([wall.distance_m for wall in walls]))
    sigma_m = float(np.median([wall.sigma_m for wall in walls]))
    on_plane = float(np.median([wall.on_plane for wall in walls]))
    fill = float(np.median([wall.fill for wall in walls]))
    noise = next(iter(source.rig.depth_noise.values()), None)
    expected_m = float(noise.sigma_m(np.array([distance_m]))[0]) if noise else float("inf")
    text = (
        f"{1e3 * sigma_m:.2f} mm around a plane at {distance_m:.3f} m (usual for this camera: "
        f"{1e3 * expected_m:.2f} mm), {100 * fill:.0f} % of the pixels have depth"
    )
    if on_plane < _ON_PLANE_SHARE:
        return title, True, f"{text}; {100 * on_plane:.0f} % lie on it: no wall was in view"
    ok = sigma_m <= _NOISY_TIMES * expected_m
    return title, ok, text if ok else text + "; clean the lenses, or calibrate the camera"


def _facts(location: str, source: LiveFrameSource, found: _Findings) -> dict[str, Any]:
    exposures = {name: [min(seen), max(seen)] for name, seen in found.exposures_us.items()}
    return {
        "source": location,
        "seconds": round(found.seconds, 2),
        "device": dict(source.metadata),
        "notes": list(source.notes),
        "streams": {name: asdict(health) for name, health in source.health().items()},
        "losses": asdict(source.losses),
        "exposure_us": exposures,
        "cameras": {
            name: {"width": c.width, "height": c.height, "fx": c.fx, "fy": c.fy, "cx": c.cx}
            for name, c in source.rig.cameras.items()
        },
        "walls": [asdict(wall) for wall in found.walls],
        "platform": platform.platform(),
        "versions": {"python": platform.python_version(), "sensorfusion": version("sensorfusion")},
    }
