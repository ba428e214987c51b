"""``sensorfusion evaluate consistency``: whether depth means the same metres in every frame."""

from typing import Annotated, Any

from cyclopts import Parameter

from sensorfusion.cli.location import SourceOptions
from sensorfusion.cli.output import only_our_output, write_json, write_line
from sensorfusion.errors import EvaluationError
from sensorfusion.pipeline import reconstruct


def consistency(
    source: str,
    /,
    *,
    poses: str | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
    opening: SourceOptions | None = None,
) -> None:
    """Measure whether depth means the same metres in every frame of a recording.

    Depth of a frame, moved by the poses into the one ten frames later, is compared with what was
    measured there. Measured sensors agree within half a percent.

    Parameters
    ----------
    source
        A recording, a folder, or a name such as synthetic:room.
    poses
        Take the camera's poses from a TUM file, or from the recording itself ("recording"),
        instead of tracking it.
    json
        Write one JSON object instead of text.
    """
    opening = opening or SourceOptions()
    opening.check(source)
    with only_our_output():
        result = reconstruct(source, driver=opening.driver, options=opening.values, poses=poses)
    found: dict[str, Any] | None = result.report.facts["consistency"]
    if found is None:
        msg = (
            f"{source}: no two of its {result.report.used} placed frames, ten apart, saw the same "
            "surface; a longer recording is needed"
        )
        raise EvaluationError(msg)
    if json:
        write_json(found)
        return
    write_line(f"median of log(moved / measured depth)  {found['median_log_ratio']:+.5f}")
    write_line(f"spread over pairs of frames            {found['spread_log_ratio']:.5f}")
    write_line(f"pairs, ten frames apart                {found['pairs']}")
