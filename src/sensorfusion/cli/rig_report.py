"""What ``calibrate rig`` and ``check-extrinsics`` tell of a change, in text and JSON."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensorfusion.calibration.board_alignment import BoardFit
from sensorfusion.calibration.edge_alignment import SECONDS
from sensorfusion.calibration.estimate_rig import EdgeFit, RigEstimate


def change_json(change: NDArray[np.float64], sigma: NDArray[np.float64]) -> dict[str, Any]:
    """Return seven numbers (turn, way, lateness) and their deviations for JSON."""
    return {
        "turn_deg": np.degrees(change[:3]).tolist(),
        "turn_sigma_deg": np.degrees(sigma[:3]).tolist(),
        "way_m": change[3:6].tolist(),
        "way_sigma_m": sigma[3:6].tolist(),
        "late_s": float(change[SECONDS]) if sigma[SECONDS] > 0 else None,
        "late_sigma_s": float(sigma[SECONDS]) if sigma[SECONDS] > 0 else None,
    }


def change_lines(change: NDArray[np.float64], sigma: NDArray[np.float64]) -> list[str]:
    """Return seven numbers and their deviations as lines for people."""
    lines = [
        f"turn about {axis} {math.degrees(change[k]):+8.3f} +- {math.degrees(sigma[k]):.3f} deg"
        for k, axis in enumerate("xyz")
    ]
    lines += [
        f"way along {axis}  {100 * change[3 + k]:+8.2f} +- {100 * sigma[3 + k]:.2f} cm"
        for k, axis in enumerate("xyz")
    ]
    if sigma[SECONDS] > 0:
        late_ms, sigma_ms = 1e3 * change[SECONDS], 1e3 * sigma[SECONDS]
        lines.append(f"pictures later {late_ms:+8.2f} +- {sigma_ms:.2f} ms")
    return lines


def estimate_lines(found: RigEstimate) -> tuple[str, ...]:
    """Return what was found, and from what, as lines for people."""
    name = found.T_camera_sensor.name
    lines = [f"{name} from {_edges_line(found.edges)}"] if found.edges else []
    if found.boards:
        lines.append(f"{name} from {_boards_line(found.boards)}")
    lines += [found.remark] if found.remark else []
    lines += [
        f"change about and along the axes of {found.T_camera_sensor.target!r}, +- one standard "
        "deviation:",
        *(f"  {line}" for line in change_lines(*_change_of(found))),
    ]
    if found.late_sigma_s is None:
        lines.append("  time offset: not estimated, as the motion is not known; give --poses")
    if found.untold:
        how = "other motions and nearer things would"
        if found.boards and not found.edges:
            how = "boards that are turned to other sides would"
        lines.append(f"  the recording does not tell: {', '.join(found.untold)}; {how}")
    return tuple(lines)


def estimate_json(found: RigEstimate) -> dict[str, Any]:
    """Return what was found, and from what, for JSON."""
    edges, boards = found.edges, found.boards
    return {
        "transform": found.T_camera_sensor.name,
        "matrix": found.T_camera_sensor.matrix.tolist(),
        "frames": edges.frames if edges else 0,
        "points": edges.points if edges else 0,
        "agreement_before": edges.agreement_before if edges else None,
        "agreement": edges.agreement if edges else None,
        "boards": _boards_json(boards) if boards else None,
        "remark": found.remark or None,
        "change": change_json(*_change_of(found)),
        "untold": list(found.untold),
    }


def _change_of(found: RigEstimate) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    change = np.array([*found.change, 1e-9 * found.late_ns])
    late_sigma_s = found.late_sigma_s or 0.0
    return change, np.array([*found.turn_sigma_rad, *found.way_sigma_m, late_sigma_s])


def _edges_line(edges: EdgeFit) -> str:
    return (
        f"{edges.points} edge points in {edges.frames} pictures; agreement "
        f"{edges.agreement_before:.1f} before, {edges.agreement:.1f} standard deviations above "
        "chance now"
    )


def _boards_line(boards: BoardFit) -> str:
    return (
        f"{boards.points} points on boards in {boards.boards} pictures; {1e3 * boards.before_m:.1f}"
        f" mm off their planes before, {1e3 * boards.after_m:.1f} mm now (medians); beyond noise "
        f"boards scatter by {1e3 * boards.scatter_m:.1f} mm and "
        f"{math.degrees(boards.scatter_rad):.2f} deg"
    )


def _boards_json(boards: BoardFit) -> dict[str, Any]:
    return {
        "frames": boards.boards,
        "points": boards.points,
        "off_before_m": boards.before_m,
        "off_m": boards.after_m,
        "scatter_m": boards.scatter_m,
        "scatter_deg": math.degrees(boards.scatter_rad),
    }
