"""Settings of depth that comes from pictures: monocular models and stereo matching."""

from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

from sensorfusion.errors import ConfigError


def check_within(name: str, value: float, low: float, high: float) -> None:
    """Raise an error that begins with the setting's name, so that its origin can be found."""
    if not low <= value <= high:
        msg = f"{name} is {value}; expected a value from {low} to {high}"
        raise ConfigError(msg)


ModelOutput = Literal["inverse", "affine_inverse", "affine_depth", "log", "metric"]
"""What a monocular model puts out: a kind of relative depth (:data:`RelativeKind` in
``relative_depth.py``), or what it takes for metres."""

_LARGEST_PICTURE_PX = 16384
_NO_NEGATIVE = Parameter(negative=())


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """A monocular model of the user's own. What is left open, FILE.toml beside FILE.onnx says.

    Attributes
    ----------
    file : str or None
        ONNX file; None: no model is used.
    size : (int, int) or None
        Width and height of the picture that it is given, pixels. None: what the ONNX file says.
    mean, std : (float, float, float) or None
        Of red, green and blue in 0 to 1; it is given (x - mean) / std. None: 0 and 1.
    output : {"inverse", "affine_inverse", "affine_depth", "log", "metric"} or None
        What its values are: 1 / z = s v, 1 / z = s v + t, z = s v + t, log z = v + t, with scale s
        and shift t of each frame not known; or metres, which are only used as such with trust.
    trust : bool
        Take the values of a metric model for metres where nothing was measured.
    engine : {"auto", "opencv", "onnxruntime"}
        What runs it; auto is OpenCV, and onnxruntime where OpenCV cannot.
    """

    file: str | None = None
    size: Annotated[tuple[int, int] | None, _NO_NEGATIVE] = None
    mean: Annotated[tuple[float, float, float] | None, _NO_NEGATIVE] = None
    std: Annotated[tuple[float, float, float] | None, _NO_NEGATIVE] = None
    output: ModelOutput | None = None
    trust: Annotated[bool, _NO_NEGATIVE] = False
    engine: Literal["auto", "opencv", "onnxruntime"] = "auto"

    def __post_init__(self) -> None:
        for size in self.size or ():
            check_within("depth.model.size", size, 1, _LARGEST_PICTURE_PX)
        for mean in self.mean or ():
            check_within("depth.model.mean", mean, -1e3, 1e3)
        for std in self.std or ():
            check_within("depth.model.std", std, 1e-6, 1e3)


@dataclass(frozen=True, slots=True, kw_only=True)
class StereoSettings:
    """How two or more cameras are matched.

    Attributes
    ----------
    nearest_m : float or None
        Nothing nearer is looked for, metres: the farther, the faster. None: what small copies of
        the pictures show, for each frame.
    model : str or None
        ONNX file of a network that takes two rectified pictures and puts out the disparity of the
        first, pixels of its own width; None: semi-global matching.
    mean : (float, float, float)
        Of red, green and blue in 0 to 1; the network is given (x - mean) / std.
    std : (float, float, float)
        See mean.
    engine : {"auto", "opencv", "onnxruntime"}
        What runs the network; auto is OpenCV, and onnxruntime where OpenCV cannot.
    """

    nearest_m: float | None = None
    model: str | None = None
    mean: Annotated[tuple[float, float, float], Parameter(negative=())] = (0.0, 0.0, 0.0)
    std: Annotated[tuple[float, float, float], Parameter(negative=())] = (1.0, 1.0, 1.0)
    engine: Literal["auto", "opencv", "onnxruntime"] = "auto"

    def __post_init__(self) -> None:
        if self.nearest_m is not None:
            check_within("depth.stereo.nearest_m", self.nearest_m, 0.01, 1000.0)
        for mean in self.mean:
            check_within("depth.stereo.mean", mean, -1e3, 1e3)
        for std in self.std:
            check_within("depth.stereo.std", std, 1e-6, 1e3)
