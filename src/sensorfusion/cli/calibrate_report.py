"""What ``sensorfusion calibrate camera`` and ``stereo`` tell of what they found."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sensorfusion.calibration.board_view import BLURRED_PX
from sensorfusion.calibration.bundle import lens_of
from sensorfusion.calibration.estimate_camera import NAMES, CameraEstimate
from sensorfusion.calibration.estimate_stereo import StereoEstimate
from sensorfusion.calibration.survey import Survey
from sensorfusion.cli.output import write_line
from sensorfusion.view.residuals import ShownPicture

CONTRADICTS = "it contradicts the others"
_PLACE = ("fx", "fy", "cx", "cy")


def write_camera(seen: Survey, found: CameraEstimate, shown: Sequence[ShownPicture]) -> None:
    """Write the numbers of a camera, and a line for each picture."""
    values = _values(found)
    place = [f"{name} {values[name]:.2f} +- {found.sigma[name]:.2f}" for name in _PLACE]
    write_line(f"    {', '.join(place)} px")
    lens = [
        f"{name} {values[name]:.5f} +- {sigma:.5f}"
        for name, sigma in found.sigma.items()
        if name not in _PLACE
    ]
    zero = [name for name in NAMES[found.model] if name not in found.sigma]
    left = f" (not determined, left at zero: {', '.join(zero)})" if zero else ""
    write_line(f"    lens {found.model}: {', '.join(lens) or 'no distortion'}{left}")
    write_line(f"    the board was seen in {found.coverage:.0%} of the picture")
    for note in found.notes:
        write_line(f"    note: {note}")
    width = max(len(path.name) for path in (*seen.views, *seen.refused))
    write_line(f"    {'picture':<{width}}  corners     RMS    mean     max px")
    for one, view in zip(shown, seen.views.values(), strict=True):
        lengths = np.linalg.norm(one.residuals_px, axis=1)
        told = "" if one.used else f"  left out: {CONTRADICTS}"
        if view.edge_px is not None and view.edge_px > BLURRED_PX:
            told += f"  blurred: edges {view.edge_px:.0f} px wide"
        write_line(
            f"    {one.name:<{width}}  {len(lengths):7d} {one.rms_px:7.3f} {lengths.mean():7.3f} "
            f"{lengths.max():7.3f}{told}"
        )
    for path, reason in seen.refused.items():
        write_line(f"    {path.name:<{width}}  left out: {reason}")


def write_place(found: StereoEstimate) -> None:
    """Write how two cameras sit to each other."""
    shift_mm, sigma_mm = 1e3 * found.T_right_left.translation_m, 1e3 * found.sigma_shift_m
    along = shift_mm / np.linalg.norm(shift_mm)
    baseline_sigma_mm = float(np.linalg.norm(along * sigma_mm))
    write_line(f"  baseline {1e3 * found.baseline_m:.3f} +- {baseline_sigma_mm:.3f} mm")
    axes = [
        f"{axis} {shift:.2f} +- {sigma:.2f}"
        for axis, shift, sigma in zip("xyz", shift_mm, sigma_mm, strict=True)
    ]
    cosine = (np.trace(found.T_right_left.rotation) - 1) / 2
    turn_deg = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    turn_sigma_deg = np.degrees(found.sigma_turn_rad.max())
    write_line(
        f"  T_right_left: {', '.join(axes)} mm, turned by {turn_deg:.3f} +- {turn_sigma_deg:.3f} "
        "degrees"
    )


def write_others(others: Sequence[Path]) -> None:
    """Write what else a folder held."""
    if others:
        names = ", ".join(path.name for path in others[:3])
        write_line(f"  {len(others)} files beside the pictures were not looked at: {names}")


def camera_json(
    seen: Survey, found: CameraEstimate, shown: Sequence[ShownPicture]
) -> dict[str, Any]:
    """Return what was found of a camera, as JSON has it."""
    pictures = [_picture_json(path, one) for path, one in zip(seen.views, shown, strict=True)]
    pictures += [
        {"file": str(path), "used": False, "reason": reason}
        for path, reason in seen.refused.items()
    ]
    return {
        "rms_px": found.rms_px,
        "camera": {
            "width": found.camera.width,
            "height": found.camera.height,
            "model": found.model,
            **_values(found),
        },
        "sigma": dict(found.sigma),
        "coverage": found.coverage,
        "notes": list(found.notes),
        "pictures": pictures,
    }


def stereo_json(
    seen: Sequence[Survey], found: StereoEstimate, shown: Sequence[Sequence[ShownPicture]]
) -> dict[str, Any]:
    """Return what was found of two cameras, as JSON has it."""
    return {
        "rms_px": found.rms_px,
        "baseline_m": found.baseline_m,
        "T_right_left": found.T_right_left.matrix.tolist(),
        "sigma_shift_m": found.sigma_shift_m.tolist(),
        "sigma_turn_rad": found.sigma_turn_rad.tolist(),
        "left": camera_json(seen[0], found.left, shown[0]),
        "right": camera_json(seen[1], found.right, shown[1]),
    }


def _picture_json(path: Path, one: ShownPicture) -> dict[str, Any]:
    lengths_px = np.linalg.norm(one.residuals_px, axis=1)
    told: dict[str, Any] = {
        "file": str(path),
        "used": one.used,
        "corners": len(lengths_px),
        "rms_px": one.rms_px,
        "mean_px": float(lengths_px.mean()),
        "max_px": float(lengths_px.max()),
    }
    return told if one.used else {**told, "reason": CONTRADICTS}


def _values(found: CameraEstimate) -> dict[str, float]:
    """Return every number of a camera by its name."""
    numbers = map(float, lens_of(found.camera, found.model))
    return dict(zip(NAMES[found.model], numbers, strict=True))
