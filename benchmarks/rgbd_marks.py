"""What ours is to reach beside dense SLAM, and whether it does."""

import statistics
from collections.abc import Iterator, Mapping
from typing import Any

from rgbd_sequences import Sequence

Result = Mapping[str, Any]

SPEED_MARKS = {0.01: 8.0, 0.0058: 6.0}
"""Frames/s of ours over those of dense SLAM, by voxel size, on the real recording."""
SLOWEST_FRAMES_PER_S = 60.0
LARGEST_ATE_GAP_M = 0.015
LARGEST_MEMORY_MB = 466.0
_SYNTHETIC_MARKS = (
    ("ate_rmse_m", "ATE, ours / dense SLAM", 0.9),
    ("rpe_1_rmse_m", "RPE over 1 frame", 0.9),
    ("rpe_30_rmse_m", "RPE over 30 frames", 0.9),
    ("1-fscore_1cm", "1 - F at 1 cm", 0.8),
    ("1-aligned_fscore_1cm", "1 - F at 1 cm, aligned", 0.8),
)


def ratios(ours: Result, peer: Result) -> dict[str, float | None]:
    """Return ours over the peer's, None where one of them has no such figure."""
    found = {key: _over(ours.get(key), peer.get(key)) for key in _COMPARED}
    for key in _SHARES:
        found[f"1-{key}"] = _over(_missing(ours, key), _missing(peer, key))
    return found


def judge(sequence: Sequence, ours: Result, peer: Result) -> Iterator[str]:
    """Yield a line for each mark: what was found, what is to be reached, and whether it is."""
    found = ratios(ours, peer)
    for name, result in (("ours", ours), ("dense SLAM", peer)):
        if "failed" in result or result["frames_used"] < result["frames_in"]:
            yield f"{name} did not place every frame: what stands below compares unequal things"
    if sequence.is_synthetic:
        for key, title, mark in _SYNTHETIC_MARKS:
            yield _line(title, found[key], mark, "at most")
        yield _line("frames/s, ours / dense SLAM", found["frames_per_s"], None, "")
    else:
        yield from _judge_real(sequence, ours, peer, found["frames_per_s"])
    yield _line("memory, MB above imports", ours.get("memory_mb"), LARGEST_MEMORY_MB, "at most")


def summary(measured: list[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the median and the worst ratio over the simulated sequences for each mark."""
    compared = [one["ratios"] for one in measured if one["options"] and "ratios" in one]
    if len(compared) < 2:
        return
    yield f"ours / dense SLAM over {len(compared)} simulated sequences"
    for key, title, mark in _SYNTHETIC_MARKS:
        known = [ratio[key] for ratio in compared if ratio[key] is not None]
        if known:
            reached = sum(value <= mark for value in known)
            yield (
                f"  {title:30}median {statistics.median(known):.3g}, worst {max(known):.3g}, "
                f"at most {mark:g} in {reached} of {len(compared)}"
            )


def _judge_real(
    sequence: Sequence, ours: Result, peer: Result, speed: float | None
) -> Iterator[str]:
    mark = SPEED_MARKS.get(sequence.voxel_size_m)
    if mark is not None:
        yield _line("frames/s, ours / dense SLAM", speed, mark, "at least")
    if sequence.voxel_size_m == 0.01:
        yield _line("frames/s", ours.get("frames_per_s"), SLOWEST_FRAMES_PER_S, "at least")
    ates = (ours.get("ate_rmse_m"), peer.get("ate_rmse_m"))
    gap_mm = None if None in ates else 1000 * (ates[0] - ates[1])  # type: ignore[operator]
    yield _line("ATE beyond dense SLAM's, mm", gap_mm, 1000 * LARGEST_ATE_GAP_M, "at most")
    key = "aligned_fscore_1cm"
    yield _line("F at 1 cm, aligned", ours.get(key), peer.get(key), "at least")


_COMPARED = (
    "frames_per_s",
    "whole_s",
    "memory_mb",
    "ate_rmse_m",
    "rpe_1_rmse_m",
    "rpe_30_rmse_m",
)
_SHARES = ("fscore_1cm", "fscore_2cm", "aligned_fscore_1cm", "aligned_fscore_2cm")


def _missing(result: Result, key: str) -> float | None:
    return None if result.get(key) is None else 1.0 - result[key]


def _over(ours: float | None, peer: float | None) -> float | None:
    return None if ours is None or not peer else ours / peer


def _line(title: str, value: float | None, mark: float | None, how: str) -> str:
    found = "unknown" if value is None else f"{value:.3g}"
    if mark is None:
        return f"{title:32}{found:>9}"
    if value is None:
        return f"{title:32}{found:>9}  {how} {mark:.3g}: MISSED"
    reached = value <= mark if how == "at most" else value >= mark
    return f"{title:32}{found:>9}  {how} {mark:.3g}: {'reached' if reached else 'MISSED'}"
