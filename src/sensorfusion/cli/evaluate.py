"""``sensorfusion evaluate``: an estimate against the truth."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from sensorfusion.cli.location import SourceOptions
from sensorfusion.cli.output import only_our_output, write_json, write_line
from sensorfusion.cli.usage import UsageError
from sensorfusion.errors import EvaluationError
from sensorfusion.evaluate.mesh import compare_meshes
from sensorfusion.evaluate.trajectory import compare_trajectories
from sensorfusion.evaluate.uncertainty import check_sigma
from sensorfusion.evaluate.worlds import fit_world
from sensorfusion.export.ply import read_mesh
from sensorfusion.export.trajectory import read_trajectory
from sensorfusion.trajectory import Trajectory
from sensorfusion.triangle_mesh import TriangleMesh

_MOST = 0.5

app = App(name="evaluate", help_format="markdown")
# By import path: it needs numba, which the others do not load.
app.command(
    "sensorfusion.cli.consistency:consistency",
    name="consistency",
    help="Measure whether depth means the same metres in every frame.",
)

app.command(
    "sensorfusion.cli.evaluate_depth:depth",
    name="depth",
    help="Measure depth maps against the true ones.",
)

app.command(
    "sensorfusion.cli.drift:drift",
    name="drift",
    help="Measure how the scale of a monocular model jumps from frame to frame.",
)

Json = Annotated[bool, Parameter(negative=())]


@app.command
def trajectory(
    estimate: Path,
    truth: str,
    /,
    *,
    json: Json = False,
    opening: SourceOptions | None = None,
) -> None:
    """Measure a trajectory against the true one, after the best rigid alignment.

    Parameters
    ----------
    estimate
        TUM file, such as trajectory.tum.
    truth
        TUM file, or a recording that holds true poses.
    json
        Write one JSON object instead of text.
    """
    error = compare_trajectories(
        read_trajectory(estimate), _true_trajectory(truth, opening or SourceOptions())
    )
    if json:
        write_json(asdict(error))
        return
    write_line(f"absolute trajectory error  {_mm(error.ate_rmse_m)} (RMS)")
    write_line(f"drift over 1 frame         {_mm(error.rpe_1_rmse_m)} (RMS)")
    write_line(f"drift over 30 frames       {_mm(error.rpe_30_rmse_m)} (RMS)")
    write_line(f"poses matched              {error.matched}, {error.coverage:.1%} of the true ones")
    if error.coverage < _MOST:
        write_line("  every pose of the truth counts, also those before and after the estimate")


@app.command
def mesh(
    estimate: Path,
    truth: str,
    /,
    *,
    trajectory: Path | None = None,
    truth_trajectory: Path | None = None,
    json: Json = False,
    opening: SourceOptions | None = None,
) -> None:
    """Measure a mesh against the true one: in the world it came in, then after ICP.

    Where the mesh states the error of its vertices (sigma_m), its errors are measured in units of
    it too: 68 % of them should be within 1 sigma. Where some of it was invented (reconstruct
    --fill), that share of its area is told, and what was measured is scored alone, too.

    Parameters
    ----------
    estimate
        PLY file, such as mesh.ply.
    truth
        PLY file, or a source that knows its true mesh.
    trajectory
        TUM file of the estimate, where its world is another than that of the truth: the mesh is
        first moved as the true trajectory demands.
    truth_trajectory
        TUM file of the truth; by default the trajectory that TRUTH holds.
    json
        Write one JSON object instead of text.
    """
    opening = opening or SourceOptions()
    with only_our_output():
        estimated = read_mesh(estimate)
        if trajectory is not None:
            true = _true_trajectory(str(truth_trajectory or truth), opening)
            estimated = estimated.moved(fit_world(read_trajectory(trajectory), true))
        elif truth_trajectory is not None:
            msg = "--truth-trajectory says nothing without --trajectory; give both"
            raise UsageError(msg)
        true_mesh = _true_mesh(truth, opening)
        error = compare_meshes(estimated, true_mesh)
        values = error.to_json()
        if estimated.sigma_m is not None:
            values["sigma"] = check_sigma(estimated, true_mesh).to_json()
            moved = estimated.moved(error.T_truth_estimate)
            aligned = {**asdict(error.aligned), "sigma": check_sigma(moved, true_mesh).to_json()}
            values["aligned"] = aligned
        if estimated.invented is not None:
            measured = replace(estimated, triangles=estimated.triangles[estimated.measured()])
            values["invented_share"] = estimated.invented_share()
            values["measured"] = compare_meshes(measured, true_mesh).to_json()
    if json:
        write_json(values)
    else:
        _write_scores(values)


def _true_trajectory(location: str, opening: SourceOptions) -> Trajectory:
    if Path(location).is_file() and Path(location).suffix.lower() in (".tum", ".txt"):
        return read_trajectory(location)
    found = opening.truth(location).trajectory
    if found is None:
        msg = f"{location}: holds no true poses; give a TUM file (.tum) or a source that does"
        raise EvaluationError(msg)
    return found


def _true_mesh(location: str, opening: SourceOptions) -> TriangleMesh:
    if Path(location).is_file() and Path(location).suffix.lower() == ".ply":
        return read_mesh(location)
    found = opening.truth(location).mesh
    if found is None:
        msg = f"{location}: holds no true mesh; give a .ply file or a source that does"
        raise EvaluationError(msg)
    return found


def _write_scores(values: dict[str, Any]) -> None:
    aligned = values["aligned"]
    rows = [("", "as given", "after ICP")]
    for name, title in (
        ("accuracy_mean_m", "mesh to truth, mean"),
        ("completeness_mean_m", "truth to mesh, mean"),
    ):
        rows.append((title, _mm(values[name]), _mm(aligned[name])))
    for limit in ("1cm", "2cm", "5cm"):
        for name in ("precision", "recall", "fscore"):
            key = f"{name}_{limit}"
            rows.append((f"{name} at {limit}", f"{values[key]:.3f}", f"{aligned[key]:.3f}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for title, given, after in rows:
        write_line(f"{title:{widths[0]}}  {given:>{widths[1]}}  {after:>{widths[2]}}")
    if "sigma" in values:
        write_line(f"as given, {_sigma_line(values['sigma'])}")
        write_line(f"after ICP, {_sigma_line(aligned['sigma'])}")
    if "measured" in values:
        write_line(f"{values['invented_share']:.2%} of the area was invented; without that:")
        _write_scores(values["measured"])


def _sigma_line(sigma: dict[str, Any]) -> str:
    bins = [f"{b['ratio_68']:.2f} (to {_mm(b['sigma_m'][1])})" for b in sigma["bins"]]
    found = f"68 % of errors within {sigma['ratio_68']:.2f} sigma; by sigma {', '.join(bins)}"
    return f"{found}; {sigma['unknown']} vertices without" if sigma["unknown"] else found


def _mm(metres: float | None) -> str:
    return "unknown" if metres is None else f"{1000 * metres:.2f} mm"
