"""``sensorfusion evaluate depth``: depth maps against the true ones."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import Parameter
from numpy.typing import NDArray

from sensorfusion.cli.location import SourceOptions
from sensorfusion.cli.output import only_our_output, write_json, write_line
from sensorfusion.errors import EvaluationError
from sensorfusion.evaluate.depth import DepthComparison, DepthError
from sensorfusion.export.depth_map_files import DepthMapFiles, find_depth_maps, holds_depth_maps

_FindTruth = Callable[[str], NDArray[np.float32] | None]


def depth(
    estimate: Path,
    truth: str,
    /,
    *,
    metres_per_unit: float | None = None,
    truth_metres_per_unit: float | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
    opening: SourceOptions | None = None,
) -> None:
    """Measure depth maps against the true ones, as KITTI does.

    Parameters
    ----------
    estimate
        Folder of depth maps, such as `sensorfusion depth` writes, or one map.
    truth
        The same, with maps of the same numbers or names; or a source that knows true depth.
    metres_per_unit
        Of the estimate's 16-bit PNGs, where no depth.json says it (KITTI: 0.00390625).
    truth_metres_per_unit
        Of the truth's.
    json
        Write one JSON object instead of text.
    """
    found = find_depth_maps(estimate, metres_per_unit)
    with only_our_output():
        if holds_depth_maps(Path(truth)):
            files = find_depth_maps(Path(truth), truth_metres_per_unit)
            error = _compare(found, _in_files(files, len(found.files)))
        else:
            error = _compare(found, _in_source(truth, found.camera, opening or SourceOptions()))
    if json:
        write_json(error.to_json())
    else:
        _write(error)


def _compare(found: DepthMapFiles, truth_of: _FindTruth) -> DepthError:
    comparison = DepthComparison()
    for key in found.files:
        true_m = truth_of(key)
        if true_m is not None:
            comparison.add(found.metres(key), true_m, found.sigma_m(key))
    return comparison.result()


def _in_files(truth: DepthMapFiles, estimates: int) -> _FindTruth:
    if estimates == 1 and len(truth.files) == 1:
        # Two single files may have any names.
        (only,) = truth.files
        return lambda _: truth.metres(only)
    return lambda key: truth.metres(key) if key in truth.files else None


def _in_source(location: str, camera: str | None, opening: SourceOptions) -> _FindTruth:
    known = opening.truth(location).depth
    if known is None:
        msg = f"{location}: holds no true depth; give a folder of depth maps or a source that does"
        raise EvaluationError(msg)
    if camera is None:
        msg = "the estimate does not say which camera it belongs to: it has no depth.json"
        raise EvaluationError(msg)
    return lambda key: known(camera, int(key)).metres


def _write(error: DepthError) -> None:
    write_line(f"{error.maps} depth maps; {error.coverage:.1%} of the true pixels have depth")
    write_line(f"RMSE   {1000 * error.rmse_m:10.1f} mm     MAE   {1000 * error.mae_m:10.1f} mm")
    write_line(f"iRMSE  {error.irmse_per_km:10.2f} 1/km   iMAE  {error.imae_per_km:10.2f} 1/km")
    write_line(
        f"relative error {error.abs_rel:.4f}; within a factor 1.25: {error.delta_1:.4f}, "
        f"1.25^2: {error.delta_2:.4f}, 1.25^3: {error.delta_3:.4f}"
    )
    if error.sigma:
        bins = ", ".join(f"{ratio:.2f}" for ratio in error.sigma)
        write_line(f"68 % of errors within ... sigma, by rising sigma: {bins}")
