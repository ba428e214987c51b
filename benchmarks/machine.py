"""What a benchmark ran on, and what a process holds in memory."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

_STATUS = Path("/proc/self/status")


def describe() -> dict[str, object]:
    """Return the processor, its cores and the versions of what was measured."""
    packages = ("sensorfusion", "open3d", "numpy", "numba", "opencv-python")
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "load_before": round(os.getloadavg()[0], 2),
        "versions": {"python": platform.python_version()}
        | {package: version(package) for package in packages},
    }


def held_mb() -> float:
    """Return the resident memory of this process."""
    return _status_mb("VmRSS")


def peak_mb() -> float:
    """Return the largest resident memory since :func:`forget_peak`, or of the process so far."""
    return _status_mb("VmHWM")


def forget_peak() -> None:
    """Let the peak begin anew at what is held now (Linux; where that is refused, it stays)."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def _status_mb(key: str) -> float:
    for line in _STATUS.read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == key:
            return float(value.split()[0]) / 1024.0
    msg = f"{_STATUS} has no {key}; these benchmarks need Linux"
    raise SystemExit(msg)


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()
